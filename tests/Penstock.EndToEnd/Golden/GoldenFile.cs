using System.Text;

namespace Penstock.EndToEnd.Golden;

/// <summary>A file of named sections: a line <c>=== name</c>, the text, a line break.</summary>
internal static class GoldenFile
{
    private const string Mark = "=== ";

    public static string? Find(string path, string section)
    {
        var sections = Read(path);
        return sections.GetValueOrDefault(section);
    }

    public static void Record(string path, string section, string text)
    {
        var sections = Read(path);
        sections[section] = text;
        var file = new StringBuilder();
        // "whole" before "streamed", and each in the order it happens.
        foreach (var (name, content) in sections.OrderBy(found => found.Key.StartsWith("streamed", StringComparison.Ordinal)).ThenBy(found => Array.FindIndex(GoldenTests.Steps, step => found.Key.EndsWith(step, StringComparison.Ordinal))))
            file.Append(Mark).Append(name).Append('\n').Append(content).Append('\n');
        File.WriteAllText(path, file.ToString());
    }

    private static Dictionary<string, string> Read(string path)
    {
        var sections = new Dictionary<string, string>();
        if (!File.Exists(path)) return sections;
        var text = File.ReadAllText(path);
        // The line break before a mark belongs to the mark; so does the last one of the file.
        foreach (var section in ("\n" + (text.EndsWith('\n') ? text[..^1] : text)).Split("\n" + Mark)[1..])
        {
            var end = section.IndexOf('\n', StringComparison.Ordinal);
            sections[section[..end]] = section[(end + 1)..];
        }

        return sections;
    }
}
