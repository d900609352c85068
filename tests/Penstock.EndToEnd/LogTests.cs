using System.Globalization;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd;

/// <summary>The log of calls: one line a request, all figures, no prompt, no key.</summary>
public sealed class LogTests(Platform platform) : IClassFixture<Platform>
{
    private const string Prompt = "zebra-crossing-at-midnight";

    [Fact]
    public async Task Every_request_has_one_line_with_its_figures_and_no_prompt_or_key()
    {
        var (id, text) = await platform.Admin.NewKeyAsync("ai:complete ai:embed");
        using var api = platform.Client(text);
        var requests = new List<(string Id, bool Attempted)>();
        foreach (var (path, body, attempted) in Requests())
        {
            using var message = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, path) { Content = body is null ? null : Api.Body(body) };
            message.Headers.Add("x-penstock-conversation", "talk-1");
            using var answer = await api.SendAsync(message);
            requests.Add((answer.Headers.GetValues("x-request-id").Single(), attempted));
        }

        await Wait.UntilAsync(() => requests.All(request => platform.Server.Output.Any(line => line.Contains(request.Id, StringComparison.Ordinal))), TimeSpan.FromSeconds(5), "every request is in the log");
        var log = platform.Server.Log;
        foreach (var (request, attempted) in requests)
        {
            var line = Assert.Single(log, line => line.Raw.Contains(request, StringComparison.Ordinal));
            Assert.Equal(attempted ? "Penstock.Gateway.Attempts" : "Penstock.Http.RequestEdge", line.Category);
        }

        var whole = string.Join('\n', platform.Server.Output);
        foreach (var secret in new[] { Prompt, text[(text.LastIndexOf('-') + 1)..], platform.Server.Options.AdminKey, Penstock.Upstream.UpstreamServer.OpenAiKey }) Assert.DoesNotContain(secret, whole, StringComparison.Ordinal);
        FiguresAreTheLedgers(await Entry.AllAsync(platform.Admin), log, id);
    }

    private static IEnumerable<(string Path, string? Body, bool Attempted)> Requests()
    {
        foreach (var route in new[] { "/v1/chat/completions", "/v1/messages", "/v1/complete", "/v1/stream" })
        {
            foreach (var marker in new[] { "", "[[cached:100]]", "[[reasoning:50]]", "[[status:500]]", "[[status:429:retry-after=1]]", "[[cut]]", "[[error-in-stream:after=2]]", "[[no-usage]]" })
            {
                foreach (var model in new[] { "gpt-4o-mini", "claude-haiku-4-5" })
                {
                    yield return (route, Samples.Chat(route, $"{marker} {Prompt}", model: model), true);
                    yield return (route, Samples.Chat(route, $"{marker} {Prompt}", stream: true, model: model), true);
                }
            }

            yield return (route, Samples.Chat(route, Prompt, model: Prompt), false);
            yield return (route, $"{{\"{Prompt}\":", false);
        }

        yield return ("/ai", $$"""{"prompt":"{{Prompt}}"}""", true);
        yield return ("/v1/classify", $$"""{"text":"{{Prompt}}","labels":["a","b"]}""", true);
        yield return ("/v1/suggest", $$"""{"text":"{{Prompt}}"}""", true);
        yield return ("/v1/embeddings", $$"""{"model":"text-embedding-3-small","input":"{{Prompt}}"}""", true);
        yield return ("/v1/embed", $$"""{"input":["{{Prompt}}"]}""", true);
        yield return ("/v1/messages/count_tokens", $$"""{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"{{Prompt}}"}]}""", false);
        yield return ("/v1/models", null, false);
        yield return ("/v1/usage", null, false);
        yield return ($"/v1/usage?user={Prompt}", null, false);
        yield return ($"/v1/{Prompt}", null, false);
        yield return ("/v1/auth/keys", null, false);
        yield return ("/health", null, false);
    }

    private static void FiguresAreTheLedgers(IReadOnlyList<Entry> rows, IReadOnlyList<LogLine> log, string key)
    {
        var lines = log.Where(line => line["AttemptId"] is not null).ToDictionary(line => line["AttemptId"]!);
        Assert.Equal(rows.Count, lines.Count);
        Assert.True(rows.Count > 100);
        foreach (var row in rows)
        {
            var line = lines[row.Attempt];
            Assert.Equal(
                (row.Provider, row.Model, row.Outcome, row.Request, key, row.Error, row.Route),
                (line["Provider"], line["Model"], line["Outcome"], line["RequestId"], line["KeyId"], line["Error"], line["Route"]));
            Assert.Equal(
                (row.Input, row.CacheRead, row.Output, row.Reasoning, row.Cost, row.LatencyMs),
                ((long)line.Number("InputTokens"), (long)line.Number("CachedTokens"), (long)line.Number("OutputTokens"), (long)line.Number("ReasoningTokens"), line.Number("CostUsd"), (int)line.Number("LatencyMs")));
            Assert.Equal(row.FirstTokenMs?.ToString(CultureInfo.InvariantCulture), line["FirstTokenMs"]);
            if (row.Route is not ("/v1/embeddings" or "/v1/embed")) Assert.Equal(("talk-1", "talk-1"), (row.Conversation, line["ConversationId"]));
        }
    }
}
