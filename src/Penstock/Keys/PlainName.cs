using System.Text.RegularExpressions;

namespace Penstock.Keys;

/// <summary>Names of tenants, projects and providers: 1 to 64 letters, digits, '.', '_' or '-'.</summary>
internal static partial class PlainName
{
    public const string Rule = "must be 1 to 64 letters, digits, '.', '_' or '-'";

    public static bool Is(string name) => Form().IsMatch(name);

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
