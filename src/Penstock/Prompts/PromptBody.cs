using System.Text;

namespace Penstock.Prompts;

/// <summary>
/// A text with <c>{{variable}}</c> in it, taken apart once. It has no logic and no filters: a prompt that decides is two prompts.
/// <c>\{{</c> is two braces.
/// </summary>
internal sealed class PromptBody
{
    public static readonly PromptBody Empty = new([]);

    private const string Open = "{{";
    private const string Close = "}}";

    private readonly IReadOnlyList<(string Text, bool IsVariable)> _pieces;

    private PromptBody(IReadOnlyList<(string Text, bool IsVariable)> pieces) => _pieces = pieces;

    public bool IsEmpty => _pieces.Count == 0;

    public IEnumerable<string> Variables => _pieces.Where(piece => piece.IsVariable).Select(piece => piece.Text);

    /// <param name="firstLine">Where the text stands in its file, from 1.</param>
    /// <param name="used">Is told each placeholder's line and name.</param>
    /// <param name="fail">Is told each placeholder that is none.</param>
    public static PromptBody Read(string text, int firstLine, Action<int, string> used, Action<int, string> fail)
    {
        var (pieces, plain, at) = (new List<(string, bool)>(), new StringBuilder(), 0);
        while (text.IndexOf(Open, at, StringComparison.Ordinal) is var open and >= 0)
        {
            if (open > at && text[open - 1] == '\\')
            {
                plain.Append(text, at, open - 1 - at).Append(Open);
                at = open + Open.Length;
                continue;
            }

            plain.Append(text, at, open - at);
            var line = firstLine + text.AsSpan(0, open).Count('\n');
            at = open + Open.Length;
            if (NameAt(text, at) is not { } name)
            {
                fail(line, @"'{{' begins no placeholder. One looks like {{name}}: small letters, digits and '_', and no logic; write \{{ for two braces.");
                continue;
            }

            at = text.IndexOf(Close, at, StringComparison.Ordinal) + Close.Length;
            used(line, name);
            if (plain.Length > 0) pieces.Add((plain.ToString(), false));
            plain.Clear();
            pieces.Add((name, true));
        }

        plain.Append(text, at, text.Length - at);
        if (plain.Length > 0) pieces.Add((plain.ToString(), false));
        return new PromptBody(pieces);
    }

    public string Render(IReadOnlyDictionary<string, string> values) => string.Concat(_pieces.Select(piece => piece.IsVariable ? values[piece.Text] : piece.Text));

    private static string? NameAt(string text, int at)
    {
        var end = text.IndexOf(Close, at, StringComparison.Ordinal);
        if (end < 0) return null;
        var name = text.AsSpan(at, end - at).Trim(' ');
        return PromptNames.IsVariable(name) ? name.ToString() : null;
    }
}
