using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Fuzz;

/// <summary>
/// Random and mutated requests on every route: an answer within 5 s, of the route's own shape, never a 500, and nothing of our inside in it.
/// <c>PENSTOCK_FUZZ_BODIES</c> sets the bodies on each route (2,000).
/// </summary>
public sealed partial class FuzzTests(Platform platform, ITestOutputHelper output) : IClassFixture<Platform>
{
    private const int InFlight = 32;
    private const ulong Seed = 77;

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(5);
    private static readonly int Bodies = int.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_FUZZ_BODIES"), NumberStyles.None, CultureInfo.InvariantCulture, out var bodies) ? bodies : 2_000;

    private static readonly Dictionary<string, string[]> Valid = new()
    {
        ["/v1/chat/completions"] =
        [
            """{"model":"gpt-4o-mini","messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]}],"temperature":0.5,"max_tokens":20,"stop":["x"],"seed":1,"user":"u"}""",
            """{"model":"claude-haiku-4-5","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"weather in Paris"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"sunny"}],"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"auto"}""",
            """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"json"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}}},"n":2,"logprobs":true,"top_logprobs":2}""",
        ],
        ["/v1/messages"] =
        [
            """{"model":"claude-haiku-4-5","max_tokens":50,"system":[{"type":"text","text":"brief","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}],"temperature":0.3,"stop_sequences":["x"],"metadata":{"user_id":"u"}}""",
            """{"model":"gpt-4o-mini","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"weather in Paris"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"get_weather","input":{"city":"Paris"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"sunny"}]}],"tools":[{"name":"get_weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}],"tool_choice":{"type":"any"}}""",
        ],
        ["/v1/messages/count_tokens"] = ["""{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"}],"system":"s"}""", """{"model":"gpt-4o-mini","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"a","input_schema":{"type":"object"}}]}"""],
        ["/v1/embeddings"] = ["""{"model":"text-embedding-3-small","input":["a","b"],"encoding_format":"base64","dimensions":256,"user":"u"}""", """{"model":"text-embedding-3-small","input":"a"}""", """{"model":"text-embedding-3-small","input":["é","\\n"],"encoding_format":"float"}"""],
        ["/v1/complete"] = ["""{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi, as json"}],"temperature":0.2,"maxTokens":20,"systemPrompt":"s","stop":["x"],"tools":[{"name":"a","parameters":{"type":"object"}}],"toolChoice":"auto","responseFormat":{"type":"json"},"conversation":"c","user":"u"}"""],
        ["/v1/stream"] = ["""{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"},{"role":"user","content":"hi"}],"maxTokens":20,"topP":0.5}"""],
        ["/v1/embed"] = ["""{"input":["a","b"],"model":"text-embedding-3-small","dimensions":256}""", """{"input":"a"}"""],
        ["/v1/classify"] = ["""{"text":"the river is high","labels":["flood","drought"],"multiple":false,"model":"gpt-4o-mini"}"""],
        ["/v1/suggest"] = ["""{"text":"the river is high","count":3,"model":"gpt-4o-mini"}"""],
        ["/v1/extract"] = ["""{"text":"Anna, 41, of Ulm","fields":["name","age"],"model":"gpt-4o-mini"}""", """{"text":"Anna, 41","schema":{"type":"object","properties":{"age":{"type":["integer","null"]}},"required":["age"],"additionalProperties":false},"model":"gpt-4o-mini"}"""],
        ["/v1/summarise"] = ["""{"text":"the river is high and rises","sentences":2,"template":"summarise:production","model":"gpt-4o-mini"}"""],
        ["/v1/summarize"] = ["""{"text":"the river is high and rises","model":"gpt-4o-mini"}"""],
        ["/mcp"] =
        [
            """{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}""",
            """{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"classify","arguments":{"text":"the river is high","labels":["flood","drought"],"model":"gpt-4o-mini"}}}""",
        ],
        ["/v1/jobs"] = ["""{"request":{"path":"/v1/complete","body":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}},"keepHours":1}""", """{"request":{"path":"/v1/tools/calculator","body":{"expression":"1"}}}"""],
        ["/v1/prompts"] = [Greeting.Source("Greet whoever writes."), Greeting.Source("Greet whoever writes.\n\n=== user ===\n\nHello.")],
        ["/v1/prompts/{name}/labels/{label}/rollback"] = ["""{"reason":"it was better before"}"""],
        ["/v1/tools/{name}"] = ["""{"expression":"(1 + x) * max(2, 3) ^ 2","variables":{"x":1.5}}""", """{"expression":"1"}"""],
        ["/ai"] = ["""{"prompt":"hi","model":"fast","system":"s"}"""],
        ["/v1/auth/keys"] = ["""{"name":"n","scopes":["ai:complete"],"monthlyBudget":5.5,"project":"p","requestsPerSecond":2,"burst":3,"tokensPerMinute":100,"concurrency":2,"models":["fast"],"expiresAt":"2030-01-31T00:00:00Z","tenant":"t"}"""],
        ["/v1/auth/keys/{id}/rotate"] = ["""{"graceSeconds":5}"""],
    };

    public static TheoryData<string> PostRoutes => [.. Valid.Keys];

    /// <summary>What is done with runs and jobs lasts as long as they do, or needs one that waits: those routes are fuzzed where a test owns them, or read no body.</summary>
    [Fact]
    public void Every_route_that_takes_a_body_is_fuzzed() =>
        Assert.Equal(platform.Contract.Operations.Where(operation => operation.Method == "POST" && !operation.Path.StartsWith("/v1/agents/", StringComparison.Ordinal) && !operation.Path.Contains("jobs/{id}", StringComparison.Ordinal) && operation.Path != "/v1/admin/jobs/redrive").Select(operation => operation.Path).Order(), Valid.Keys.Order());

    [Theory]
    [MemberData(nameof(PostRoutes))]
    public async Task Hostile_bodies_are_answered_in_the_routes_own_shape(string route)
    {
        var (id, _) = await platform.Admin.NewKeyAsync("ai:complete");
        var path = route.Replace("{id}", id, StringComparison.Ordinal).Replace("{name}", route.StartsWith("/v1/tools", StringComparison.Ordinal) ? "calculator" : Greeting.Name, StringComparison.Ordinal)
            .Replace("{label}", "fuzz", StringComparison.Ordinal);
        if (route.Contains("{label}", StringComparison.Ordinal)) await Greeting.MoveAsync(platform.Admin, "fuzz");
        var (_, key) = await platform.Admin.NewKeyAsync("ai:complete ai:embed tool:call admin operator", "\"requestsPerSecond\":1000000,\"burst\":1000000");
        var dice = new Dice(Seed);
        var mutation = new Mutation(dice);
        var requests = Enumerable.Range(0, Bodies).Select(_ => mutation.Of(dice.Pick(Valid[route]))).ToArray();

        using var api = platform.Client(key, Bound);
        // Damage to what was refused anyhow would find nothing.
        foreach (var valid in Valid[route])
        {
            using var answer = await api.PostAsync(path, valid);
            Assert.True(answer.IsSuccessStatusCode, $"{valid}: {await answer.Content.ReadAsStringAsync(Wait.Token)}");
        }

        var statuses = await AllAsync(requests, async body =>
        {
            using var answer = await api.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = Api.Body(body.Bytes, body.ContentType) });
            return await JudgeAsync(answer);
        }, body => Convert.ToBase64String(body.Bytes));
        // A fuzz whose bodies are all refused at the door looks at the door only.
        Assert.True(statuses.Count > 1, $"only {string.Join(", ", statuses.Keys)}");
        output.WriteLine($"{route}: {string.Join(", ", statuses.OrderBy(pair => pair.Key).Select(pair => $"{pair.Value} × {pair.Key}"))}");
    }

    [Fact]
    public async Task Hostile_queries_and_paths_are_answered()
    {
        var dice = new Dice(Seed + 1);
        var mutation = new Mutation(dice);
        string[] paths = ["/v1/usage", "/v1/usage/attempts", "/v1/models", "/v1/models/", "/v1/auth/keys", "/v1/auth/keys/", "/health", "/metrics", "/openapi/v1.json", "/", "/v1/", "/v2/chat/completions"];
        string[] names = ["from", "to", "key", "project", "model", "provider", "user", "conversation", "groupBy", "limit", "tenant", "x", ""];
        string[] values = ["0", "-1", "1000", "1001", "1e9", "day", "DAY", "1", "model,day", "2026-13-01", "0001-01-01", "9999-12-31T23:59:59.9999999Z", "2026-01-01T00:00:00+14:00", "99999999999999999999", "\u0000", "é", "a b"];
        var requests = Enumerable.Range(0, Bodies).Select(_ =>
        {
            var path = dice.Pick(paths) + (dice.Percent(30) ? Uri.EscapeDataString(mutation.Text()) : "");
            return path + "?" + string.Join('&', Enumerable.Range(0, dice.Below(4)).Select(_ => $"{Uri.EscapeDataString(dice.Pick(names))}={Uri.EscapeDataString(dice.Percent(50) ? dice.Pick(values) : mutation.Text())}"));
        }).ToArray();
        using var api = platform.Client(platform.Server.Options.AdminKey, Bound);
        var statuses = await AllAsync(requests, async path =>
        {
            using var answer = await api.SendAsync(HttpMethod.Get, path);
            return await JudgeAsync(answer);
        }, path => path);
        Assert.Contains(200, statuses.Keys);
        Assert.Contains(400, statuses.Keys);
        output.WriteLine($"queries: {string.Join(", ", statuses.OrderBy(pair => pair.Key).Select(pair => $"{pair.Value} × {pair.Key}"))}");
    }

    [Fact]
    public async Task Hostile_headers_are_answered()
    {
        var dice = new Dice(Seed + 2);
        string[] names = ["Authorization", "x-api-key", "x-penstock-conversation", "anthropic-version", "anthropic-beta", "Content-Encoding", "Accept", "traceparent", "Expect", "Range", "If-None-Match", "X-Forwarded-For", "Content-Language"];
        string[] values = ["", "Bearer", "Bearer ", "Bearer sk-pen-", "Bearer sk-pen-a-b", "Basic Og==", "gzip", "100-continue", "bytes=0-1", new('a', 8_000), "a,b,c", "\u00e9", "sk-pen-test-0", "%0d%0ax: y", "Bearer sk-pen-' OR 1=1--" + new string('a', 40)];
        var requests = Enumerable.Range(0, Bodies).Select(number => (Number: number, Headers: Enumerable.Range(0, dice.Below(3) + 1).Select(_ => (Name: dice.Pick(names), Value: dice.Pick(values))).ToArray())).ToArray();
        using var api = platform.Client(null, Bound);
        var statuses = await AllAsync(requests, async request =>
        {
            using var message = new HttpRequestMessage(request.Number % 2 == 0 ? HttpMethod.Get : HttpMethod.Post, request.Number % 4 < 2 ? "/v1/usage" : "/v1/messages");
            if (request.Number % 2 == 1) message.Content = Api.Body("{}");
            foreach (var (name, value) in request.Headers)
            {
                if (!message.Headers.TryAddWithoutValidation(name, value)) message.Content?.Headers.TryAddWithoutValidation(name, value);
            }

            if (request.Number % 3 == 0 && !message.Headers.Contains("x-api-key")) message.Headers.TryAddWithoutValidation("x-api-key", platform.Server.Options.AdminKey);
            using var answer = await api.SendAsync(message);
            return await JudgeAsync(answer);
        }, request => string.Join("; ", request.Headers));
        output.WriteLine($"headers: {string.Join(", ", statuses.OrderBy(pair => pair.Key).Select(pair => $"{pair.Value} × {pair.Key}"))}");
    }

    private static async Task<IReadOnlyDictionary<int, int>> AllAsync<T>(IReadOnlyList<T> requests, Func<T, Task<int>> send, Func<T, string> describe)
    {
        var statuses = new System.Collections.Concurrent.ConcurrentDictionary<int, int>();
        await Parallel.ForEachAsync(requests, new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = Wait.Token }, async (request, _) =>
        {
            try
            {
                statuses.AddOrUpdate(await send(request), 1, (_, count) => count + 1);
            }
            catch (Exception e) when (!Wait.Token.IsCancellationRequested)
            {
                var shown = describe(request);
                throw new InvalidOperationException($"{e.GetType().Name} {e.Message} on {shown[..Math.Min(2_000, shown.Length)]}", e);
            }
        });
        return statuses;
    }

    private static async Task<int> JudgeAsync(HttpResponseMessage answer)
    {
        var status = (int)answer.StatusCode;
        var text = await answer.Content.ReadAsStringAsync(Wait.Token);
        Assert.True(status != 500, $"500: {text}");
        var type = answer.Content.Headers.ContentType?.MediaType;
        if (type is "application/json" or "application/problem+json") JudgeJson(status, text, type);
        if (status >= 400) Assert.False(Inside().IsMatch(text), $"shows its inside: {text}");
        return status;
    }

    private static void JudgeJson(int status, string text, string type)
    {
        using var json = JsonDocument.Parse(text);
        var root = json.RootElement;
        if (status < 400) return;
        if (type == "application/problem+json") Assert.Equal((status, true), (root.GetProperty("status").GetInt32(), root.GetProperty("code").GetString()!.Length > 0));
        else Assert.NotEqual(JsonValueKind.Undefined, root.GetProperty("error").ValueKind);
    }

    [GeneratedRegex(@"^\s+at |\bat [A-Z]\w+\.\w+\.|Exception\b|\bPenstock\.[A-Z]|\bSystem\.[A-Z]|\bMicrosoft\.[A-Z]", RegexOptions.Multiline)]
    private static partial Regex Inside();
}
