using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Penstock.Architecture;

/// <summary>What the documents say and a test can hold: links lead somewhere, settings and error codes exist, snippets of JSON are JSON.</summary>
public sealed partial class DocTests
{
    private static IReadOnlyList<SourceFile> Documents { get; } =
    [
        .. Directory.EnumerateFiles(Repository.Root, "*.md").Select(path => new SourceFile(Path.GetFileName(path), File.ReadAllText(path))),
        .. Repository.Files("docs", ".md"),
    ];

    private static string Configuration { get; } = Repository.Read("docs/guide/configuration.md");

    private static string Source { get; } = string.Concat(Repository.Files("src", ".cs").Select(file => file.Text));

    [Fact]
    public void Every_link_to_a_file_leads_somewhere() => Breach.None(Documents.SelectMany(Dead));

    [Fact]
    public void Every_environment_key_is_documented() => Breach.None(Undocumented(Repository.Read("src/Penstock/Configuration/EnvironmentKeys.cs"), Configuration));

    [Fact]
    public void Every_documented_environment_key_is_read() =>
        Breach.None(KeyInDocument().Matches(Configuration).Select(match => match.Groups[1].Value).Distinct()
            .Where(name => !Source.Contains($"\"{name}\"", StringComparison.Ordinal)).Select(name => new Breach("docs/guide/configuration.md", $"speaks of {name}, which no code reads")));

    [Fact]
    public void Every_error_code_of_the_run_guide_is_in_the_code() => Breach.None(UnknownCodes(Repository.Read("docs/operate/run.md"), Source));

    [Fact]
    public void Every_JSON_snippet_is_JSON() => Breach.None(Documents.SelectMany(BadJson));

    [Fact]
    public void A_dead_link_is_found()
    {
        Assert.NotEmpty(Dead(new SourceFile("docs/guide/a.md", "see [this](../gone.md)")));
        Assert.Empty(Dead(new SourceFile("docs/guide/a.md", "see [this](../../README.md#start), [that](https://example.org) and [here](#top)")));
    }

    [Fact]
    public void An_undocumented_key_an_unknown_code_and_bad_JSON_are_found()
    {
        Assert.NotEmpty(Undocumented("reader.Text(\"PENSTOCK_SECRET_SWITCH\")", Configuration));
        Assert.NotEmpty(UnknownCodes("| 404 `code_of_nothing` | x |", Source));
        Assert.NotEmpty(BadJson(new SourceFile("a.md", "```json\n{ a: 1 }\n```\n")));
    }

    private static IEnumerable<Breach> Dead(SourceFile document) =>
        from Match link in Link().Matches(document.Text)
        let target = link.Groups[1].Value.Split('#')[0]
        where target.Length > 0 && !target.Contains("://", StringComparison.Ordinal)
        let path = Repository.PathOf(Path.GetDirectoryName(document.Path) ?? "", target)
        where !File.Exists(path) && !Directory.Exists(path)
        select new Breach(document.Path, $"links to {target}, which is not there");

    private static IEnumerable<Breach> Undocumented(string reader, string document) =>
        KeyInSource().Matches(reader).Select(match => match.Groups[1].Value).Distinct()
            .Where(name => !document.Contains($"`{name}`", StringComparison.Ordinal)).Select(name => new Breach("docs/guide/configuration.md", $"does not speak of {name}"));

    private static IEnumerable<Breach> UnknownCodes(string document, string source) =>
        Code().Matches(document).Select(match => match.Groups[1].Value).Distinct()
            .Where(code => !source.Contains($"\"{code}\"", StringComparison.Ordinal)).Select(code => new Breach("docs/operate/run.md", $"speaks of the code {code}, which no code gives"));

    private static IEnumerable<Breach> BadJson(SourceFile document)
    {
        foreach (Match snippet in Json().Matches(document.Text))
        {
            Breach? breach = null;
            try
            {
                using var parsed = JsonDocument.Parse(snippet.Groups[1].Value);
            }
            catch (JsonException e)
            {
                breach = new Breach(document.Path, $"shows JSON that is none: {e.Message}");
            }

            if (breach is not null) yield return breach;
        }
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("\"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)\"")]
    private static partial Regex KeyInSource();

    [GeneratedRegex(@"(?<![\w/])`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`")]
    private static partial Regex KeyInDocument();

    [GeneratedRegex(@"\b[45]\d\d `(\w+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Json();
}
