using System.Text.RegularExpressions;

namespace Penstock.EndToEnd.Golden;

/// <summary>
/// One conversation: a scenario, the dialect of the client, the provider that answers, whole or as a stream. Its files stand in
/// <c>Cases</c>, a folder for each scenario; README.md there says how they read.
/// </summary>
internal sealed partial record GoldenCase(string Scenario, string Client, string Provider, bool Streamed)
{
    private const string InProcess = "here/";

    public static readonly string Root = Path.Combine(FindRoot(), "tests", "Penstock.EndToEnd", "Golden", "Cases");

    private static readonly string[] Here = ["local", "simulated"];

    private static readonly Dictionary<string, string> Models = new()
    {
        ["openai"] = "gpt-4o-mini",
        ["anthropic"] = "claude-haiku-4-5",
        ["local"] = "local",
        ["simulated"] = "simulated",
    };

    /// <summary>Every client of a scenario with every vendor of it; those in this process answer the scenarios under <c>here</c>.</summary>
    public static IEnumerable<GoldenCase> All() => Directory.EnumerateFiles(Root, "client.*.http", SearchOption.AllDirectories).Order(StringComparer.Ordinal).SelectMany(Of);

    public static string RepositoryRoot => FindRoot();

    /// <summary>Short enough for a test runner to show whole.</summary>
    public string Name => $"{Scenario} {Client}-to-{Provider} {Mode}";

    public string Mode => Streamed ? "streamed" : "whole";

    /// <summary>Embeddings are read and written anew, whoever asks.</summary>
    public bool Passes => Client == Provider && !Scenario.StartsWith("embeddings", StringComparison.Ordinal);

    public string GoldenPath => Path.Combine(Root, Scenario, $"{Client}-to-{Provider}.golden");

    public HttpText Request(string key)
    {
        var text = File.ReadAllText(Path.Combine(Root, Scenario, $"client.{Client}.http"));
        if (text.EndsWith('\n')) text = text[..^1];
        text = Choice().Replace(text, choice => choice.Groups[Streamed ? 2 : 1].Value);
        return HttpText.Parse(text.Replace("<<model>>", Models[Provider], StringComparison.Ordinal).Replace("<<provider>>", Provider, StringComparison.Ordinal).Replace("<<key>>", key, StringComparison.Ordinal));
    }

    /// <summary>What the vendor answers, null for a provider of this process.</summary>
    public HttpText? Answer()
    {
        if (Here.Contains(Provider)) return null;
        var path = Path.Combine(Root, Scenario, $"vendor.{Provider}.{Mode}.http");
        return HttpText.Parse(File.ReadAllText(path));
    }

    private static IEnumerable<GoldenCase> Of(string clientFile)
    {
        var folder = Path.GetDirectoryName(clientFile)!;
        var scenario = Path.GetRelativePath(Root, folder).Replace('\\', '/');
        var client = Path.GetFileName(clientFile).Split('.')[1];
        IEnumerable<string> providers = scenario.StartsWith(InProcess, StringComparison.Ordinal)
            ? Here
            : Directory.EnumerateFiles(folder, "vendor.*.http").Select(file => Path.GetFileName(file).Split('.')[1]).Distinct().Order(StringComparer.Ordinal);
        var streams = Choice().IsMatch(File.ReadAllText(clientFile));
        foreach (var provider in providers)
        {
            yield return new GoldenCase(scenario, client, provider, Streamed: false);
            if (streams) yield return new GoldenCase(scenario, client, provider, Streamed: true);
        }
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Penstock.slnx"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException($"No Penstock.slnx above {AppContext.BaseDirectory}.");
    }

    /// <summary><c>&lt;&lt;when whole|when streamed&gt;&gt;</c></summary>
    [GeneratedRegex("<<([^|>]*)\\|([^>]*)>>")]
    private static partial Regex Choice();
}
