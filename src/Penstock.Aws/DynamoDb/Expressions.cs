using System.Text.RegularExpressions;

namespace Penstock.Aws.DynamoDb;

/// <summary>Expressions name every attribute with a <c>#</c>, because DynamoDB reserves some 570 words, and here is what each stands for.</summary>
internal static partial class Expressions
{
    public static Dictionary<string, string>? Names(params ReadOnlySpan<string?> expressions)
    {
        var names = new Dictionary<string, string>();
        foreach (var expression in expressions)
        {
            if (expression is null) continue;
            foreach (var name in Placeholder().EnumerateMatches(expression))
            {
                var placeholder = expression.Substring(name.Index, name.Length);
                names[placeholder] = placeholder[1..];
            }
        }

        return names.Count == 0 ? null : names;
    }

    [GeneratedRegex("#[A-Za-z0-9_]+", RegexOptions.CultureInvariant)]
    private static partial Regex Placeholder();
}
