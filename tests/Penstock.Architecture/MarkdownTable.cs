namespace Penstock.Architecture;

/// <summary>The first table below a heading of a markdown file.</summary>
internal static class MarkdownTable
{
    /// <summary>Rows without the head, cells trimmed; throws where the heading or its table is missing, so that a renamed heading cannot empty a rule.</summary>
    public static IReadOnlyList<string[]> Under(string markdown, string heading)
    {
        var lines = markdown.ReplaceLineEndings("\n").Split('\n');
        var start = Array.FindIndex(lines, line => line.TrimStart('#').Trim() == heading && line.StartsWith('#'));
        if (start < 0) throw new FormatException($"There is no heading '{heading}'.");

        var table = lines.Skip(start + 1).TakeWhile(line => !line.StartsWith('#'))
            .SkipWhile(line => !line.StartsWith('|')).TakeWhile(line => line.StartsWith('|')).ToList();
        if (table.Count < 3) throw new FormatException($"There is no table with rows under '{heading}'.");

        var width = Cells(table[0]).Length;
        var rows = table.Skip(2).Select(Cells).ToList();
        return rows.Find(row => row.Length != width) is { } bad
            ? throw new FormatException($"The row '{string.Join(" | ", bad)}' under '{heading}' has {bad.Length} cells, not {width}.")
            : rows;
    }

    private static string[] Cells(string line) => line.Trim().Trim('|').Split('|', StringSplitOptions.TrimEntries);
}
