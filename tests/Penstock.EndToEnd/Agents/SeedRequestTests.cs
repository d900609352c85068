using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Agents;

/// <summary>What a person tries first, with no key of any vendor.</summary>
public sealed partial class SeedRequestTests : IAsyncLifetime
{
    private const string Verbatim = """{"type":"research","input":{"topic":"renewable energy trends"},"tools":["search","summarize","extract"]}""";

    private const string Documents = """
        "documents": [
          {"docId": "grid", "text": "Renewable energy grew again: solar and wind made up most of the new capacity in 2025. Storage grew fastest of all."},
          {"docId": "cost", "text": "The cost of batteries fell again. Grid connections are the bottleneck now."}]
        """;

    private ServerProcess _server = null!;
    private Api _api = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerProcess.StartAsync(new ServerOptions());
        _api = new Api(_server.Address, await ApiContract.OfAsync(_server.Address), _server.Options.AdminKey, TimeSpan.FromSeconds(60));
    }

    public async ValueTask DisposeAsync()
    {
        _api.Dispose();
        await _server.StopAsync();
        Assert.DoesNotContain(_server.Log, line => line.Level is "Error" or "Critical");
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task The_seed_request_verbatim_ends_completed_with_its_steps_and_its_cost()
    {
        var run = await RunAsync(Verbatim);

        Assert.False(string.IsNullOrWhiteSpace(run.GetProperty("output").GetString()));
        var steps = run.GetProperty("steps").EnumerateArray().ToArray();
        Assert.Contains(steps, step => step.GetProperty("kind").GetString() == "model");
        Assert.Contains(steps, step => step.GetProperty("kind").GetString() == "tool" && step.GetProperty("name").GetString() == "search");
        Assert.All(steps, step => Assert.True(step.TryGetProperty("endedAt", out _) && step.GetProperty("outcome").GetString() != "open"));
        Assert.True(run.GetProperty("usage").GetProperty("totalTokens").GetInt64() > 0);
        Assert.Equal(0m, run.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_search_with_nothing_to_search_in_is_said_so_and_never_an_empty_success()
    {
        var run = await RunAsync(Verbatim);

        var search = run.GetProperty("steps").EnumerateArray().First(step => step.GetProperty("kind").GetString() == "tool" && step.GetProperty("name").GetString() == "search");
        Assert.Equal("failed", search.GetProperty("outcome").GetString());
        Assert.Equal("search_not_configured", search.GetProperty("error").GetProperty("code").GetString());
        Assert.Contains("search", run.GetProperty("output").GetString(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Research_over_documents_cites_only_pieces_that_a_search_of_its_own_found()
    {
        var run = await RunAsync($$"""{"type": "research", "input": {"topic": "renewable energy trends", {{Documents}} }, "tools": ["search", "summarize", "extract"]}""");

        var found = Found(run);
        var cited = Cited().Matches(run.GetProperty("output").GetString()!).Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(cited);
        Assert.All(cited, citation => Assert.Contains(citation, found));
    }

    [Fact]
    public async Task Document_analysis_answers_in_its_form_and_its_citations_resolve()
    {
        var run = await RunAsync($$"""{"type": "document-analysis", "input": {"question": "What is the bottleneck?", {{Documents}} } }""");

        var output = run.GetProperty("output");
        Assert.All((string[])["summary", "keyPoints", "answer", "citations", "limitations"], member => Assert.True(output.TryGetProperty(member, out _), $"no {member} in {output}"));
        var citations = output.GetProperty("citations").EnumerateArray().ToArray();
        var found = Found(run);
        Assert.NotEmpty(citations);
        Assert.All(citations, citation => Assert.Contains(citation.GetString()!, found));
    }

    [Fact]
    public async Task A_simulated_model_calls_what_its_topic_writes_down()
    {
        var run = await RunAsync("""
            {"type": "research", "model": "simulated", "input": {"topic": "[[tool search {\"query\": \"batteries\"}]] [[tool summarize {\"text\": \"Batteries fell in price. Storage grew.\"}]]", "documents": ["The cost of batteries fell again."]}, "tools": ["search", "summarize", "extract"]}
            """);

        var tools = run.GetProperty("steps").EnumerateArray().Where(step => step.GetProperty("kind").GetString() == "tool").ToArray();
        Assert.Equal(["search", "summarize"], tools.Select(step => step.GetProperty("name").GetString()));
        Assert.All(tools, step => Assert.Equal("completed", step.GetProperty("outcome").GetString()));
    }

    /// <summary>As it waits by default; a small machine may be told 202, and looks again.</summary>
    private async Task<JsonElement> RunAsync(string body)
    {
        var run = await _api.JsonAsync(HttpMethod.Post, "/v1/agents/run", body);
        var id = run.GetProperty("id").GetString();
        await Wait.UntilAsync(async () => (run = await _api.GetAsync($"/v1/agents/runs/{id}")).TryGetProperty("endedAt", out _), TimeSpan.FromSeconds(30), () => run.GetRawText());
        Assert.True(run.GetProperty("status").GetString() == "completed", run.GetRawText());
        return run;
    }

    /// <summary>Names of what the run's searches answered.</summary>
    private static HashSet<string> Found(JsonElement run)
    {
        var found = new HashSet<string>();
        foreach (var step in run.GetProperty("steps").EnumerateArray().Where(step => step.TryGetProperty("output", out _) && step.GetProperty("name").GetString() == "search"))
        {
            foreach (var piece in step.GetProperty("output").GetProperty("results").EnumerateArray()) found.Add(piece.GetProperty("chunkId").GetString()!);
        }

        return found;
    }

    [GeneratedRegex(@"\[([^\[\]\s#]+#[^\[\]\s]+)\]")]
    private static partial Regex Cited();
}
