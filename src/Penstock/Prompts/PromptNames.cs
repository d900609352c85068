using System.Text.RegularExpressions;

namespace Penstock.Prompts;

/// <summary>What templates, labels and variables may be called.</summary>
internal static partial class PromptNames
{
    public const string NameRule = "1 to 64 small letters, digits, '.', '_' or '-', a letter or digit first";
    public const string LabelRule = "1 to 32 small letters, digits, '.', '_' or '-', a letter first";

    public static bool IsName(string text) => Name().IsMatch(text);

    public static bool IsLabel(string text) => Label().IsMatch(text);

    public static bool IsVariable(ReadOnlySpan<char> text) => Variable().IsMatch(text);

    /// <summary>A hash, or as much of its beginning as names a version.</summary>
    public static bool IsHash(string text) => Hash().IsMatch(text);

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    [GeneratedRegex(@"^[a-z][a-z0-9._-]{0,31}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Label();

    [GeneratedRegex(@"^[a-z][a-z0-9_]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Variable();

    [GeneratedRegex(@"^[0-9a-f]{8,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Hash();
}
