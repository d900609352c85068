using System.Globalization;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Golden;

/// <summary>
/// Whole wire bodies, both ways: what a client sends and what the provider gets of it, what the provider answers and what the client gets.
/// With <c>PENSTOCK_RECORD=1</c> what is seen is written down in place of what was expected; read the difference before it is kept.
/// </summary>
public sealed class GoldenTests(GoldenPlatform platform) : IClassFixture<GoldenPlatform>
{
    private const string ProviderReceives = "the provider receives";
    private const string ClientReceives = "the client receives";
    private const string LedgerHolds = "the ledger holds";
    private const string Nothing = "nothing";

    internal static readonly string[] Steps = [ProviderReceives, ClientReceives, LedgerHolds];

    private static readonly bool Recording = Environment.GetEnvironmentVariable("PENSTOCK_RECORD") == "1";

    public static TheoryData<string> Cases() => [.. GoldenCase.All().Select(golden => golden.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Bodies_cross_as_they_are_written_down(string name)
    {
        var golden = GoldenCase.All().Single(golden => golden.Name == name);
        var request = golden.Request(platform.Key);
        platform.Upstream.Answer = golden.Answer();

        var answer = await platform.AskAsync(request);

        var heard = platform.Upstream.TakeHeard();
        Assert.True(heard.Count <= 1, $"the provider was called {heard.Count} times");
        var booked = await platform.BookedAsync(answer.Header("x-request-id"));
        if (golden.Passes && heard.Count == 1) Kept.Check(request, heard[0], platform.Upstream.Answer!, answer);

        // Both sides name the call alike.
        if (heard.Count == 1 && booked.Count == 1) Assert.Equal(booked[0].Attempt, heard[0].Header("x-client-request-id"));

        var seen = new Sight(answer);
        Check(golden, ProviderReceives, heard.Count == 0 ? Nothing : seen.Of(heard[0], pretty: !golden.Passes));
        Check(golden, ClientReceives, seen.Of(answer, pretty: false));
        Check(golden, LedgerHolds, booked.Count == 0 ? Nothing : Line(booked.Single()));
    }

    [Fact]
    public void Every_dialect_meets_every_provider_whole_and_streamed()
    {
        var dialects = Folders("src/Penstock/Gateway/Wire", "*Dialect.cs");
        var providers = Folders("src/Penstock.Providers", "*Kind.cs");
        Assert.Contains("openai", dialects);
        Assert.Contains("anthropic", providers);
        var met = GoldenCase.All().Select(golden => (golden.Client, golden.Provider, golden.Streamed)).ToHashSet();

        var missing = dialects.SelectMany(dialect => providers, (dialect, provider) => (dialect, provider))
            .SelectMany(pair => new[] { false, true }, (pair, streamed) => (pair.dialect, pair.provider, streamed))
            .Where(wanted => !met.Contains(wanted));
        Assert.Empty(missing);
    }

    [Fact]
    public void No_golden_stands_without_its_case()
    {
        var known = GoldenCase.All().Select(golden => golden.GoldenPath).ToHashSet();
        Assert.Subset(known, Directory.EnumerateFiles(GoldenCase.Root, "*.golden", SearchOption.AllDirectories).ToHashSet());
    }

    private static void Check(GoldenCase golden, string step, string seen)
    {
        var section = $"{golden.Mode}: {step}";
        if (Recording)
        {
            GoldenFile.Record(golden.GoldenPath, section, seen);
            return;
        }

        var expected = GoldenFile.Find(golden.GoldenPath, section);
        Assert.True(expected is not null, $"{golden.GoldenPath} has no section '{section}'. Seen:\n{seen}");
        Assert.Equal(expected, seen);
    }

    private static string Line(Entry row) => string.Create(CultureInfo.InvariantCulture,
        $"{row.Provider} {row.Model} {row.Outcome}{(row.Error is { } error ? $" ({error})" : "")}{(row.Streamed ? " streamed" : "")} {Counts(row)}");

    /// <summary>What we counted ourselves depends on the tokenizer that is installed.</summary>
    private static string Counts(Entry row) => row.Estimated
        ? "estimated"
        : string.Create(CultureInfo.InvariantCulture, $"input {row.Input} (cached {row.CacheRead}, written {row.CacheWrite}) output {row.Output} (reasoning {row.Reasoning}) {row.Cost} USD");

    private static string[] Folders(string under, string holding) =>
        [.. Directory.EnumerateFiles(Path.Combine(GoldenCase.RepositoryRoot, under), holding, SearchOption.AllDirectories).Select(file => Path.GetFileName(Path.GetDirectoryName(file)!)).Where(name => name != "Wire").Select(name => name.ToLowerInvariant()).Distinct()];
}
