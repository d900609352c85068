using System.Text.RegularExpressions;

namespace Penstock.Architecture;

/// <summary>Rules of CONTRIBUTING.md that need no understanding of C#.</summary>
internal static partial class SourceRules
{
    private static readonly string[] Layers = ["Services", "Helpers", "Utils", "Common", "Interfaces", "Managers"];

    // Spelled apart, so that this file keeps its own rule.
    private static readonly string[] Reminders = ["TO" + "DO", "FIX" + "ME", "HA" + "CK:", "X" + "XX"];

    public static IEnumerable<Breach> LayerFolders(IEnumerable<string> folders) =>
        from folder in folders
        where Layers.Contains(folder.Split('/')[^1], StringComparer.OrdinalIgnoreCase)
        select new Breach(folder, "name a folder for the feature it holds");

    public static int LinesOf(SourceFile file) => file.Text.AsSpan().TrimEnd('\n').Count('\n') + 1;

    public static IEnumerable<Breach> Unfinished(IEnumerable<SourceFile> files) =>
        from file in files
        from word in Reminders
        where Regex.IsMatch(file.Text, $@"\b{word}")
        select new Breach(file.Path, $"holds {word}; do it, or open an issue");

    /// <summary>Absolute paths that exist on one machine only.</summary>
    public static IEnumerable<Breach> MachinePaths(IEnumerable<SourceFile> files) =>
        from file in files
        from Match match in MachinePath().Matches(file.Text)
        select new Breach(file.Path, $"speaks of {match.Value}, which is a path of one machine");

    [GeneratedRegex(@"(?<![\w.~)}-])/(work|root|home/\w+|Users/\w+)/\w+|\b[A-Z]:\\Users\\\w+")]
    private static partial Regex MachinePath();
}
