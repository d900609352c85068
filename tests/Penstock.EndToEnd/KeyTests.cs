using System.Net;
using System.Text;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>Who may do what: scopes, the life of a key, and the walls between tenants.</summary>
public sealed class KeyTests(Platform platform) : IClassFixture<Platform>
{
    private string? _run;

    private static readonly string[] ScopeNames = ["ai:complete", "ai:embed", "tool:call", "agent:run", "admin"];

    [Fact]
    public async Task Every_route_answers_exactly_the_scopes_it_is_described_with()
    {
        var wrong = new List<string>();
        var cells = 0;
        foreach (var scope in ScopeNames)
        {
            var (_, text) = await platform.Admin.NewKeyAsync(scope);
            using var api = platform.Client(text);
            foreach (var operation in platform.Contract.Operations)
            {
                using var answer = await CallAsync(api, operation);
                // Who runs agents runs their tools.
                var may = operation.Scope is null or "" || operation.Scope == scope || (operation.Scope, scope) == ("tool:call", "agent:run");
                var fits = may ? answer.IsSuccessStatusCode || (NeedsMore(operation) && answer.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Forbidden or HttpStatusCode.NotFound or HttpStatusCode.Conflict or HttpStatusCode.UnprocessableEntity) : answer.StatusCode == HttpStatusCode.Forbidden;
                if (!fits) wrong.Add($"{operation} with {scope}: {(int)answer.StatusCode}");
                cells++;
            }
        }

        Assert.Empty(wrong);
        Assert.True(cells >= 80, $"only {cells} cells");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("sk-pen-x")]
    [InlineData("not-a-key")]
    [InlineData("sk-pen-0123456789abcdef-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    public async Task Without_a_key_that_exists_only_the_open_routes_answer(string? key)
    {
        using var api = platform.Client(key);
        foreach (var operation in platform.Contract.Operations)
        {
            using var answer = await CallAsync(api, operation);
            var fits = operation.Scope is null ? answer.IsSuccessStatusCode : answer.StatusCode == HttpStatusCode.Unauthorized;
            Assert.True(fits, $"{operation}: {(int)answer.StatusCode}");
        }
    }

    [Fact]
    public void Few_routes_are_open() =>
        Assert.Equal(["GET /health", "GET /health/ready", "GET /metrics", "GET /openapi/v1.json", "GET /v1/health"], platform.Contract.Operations.Where(operation => operation.Scope is null).Select(operation => operation.ToString()).Order(StringComparer.Ordinal));

    [Fact]
    public async Task A_secret_is_shown_once_and_kept_nowhere()
    {
        var (id, first) = await platform.Admin.NewKeyAsync("ai:complete admin");
        using var api = platform.Client(first);
        await api.JsonAsync(HttpMethod.Post, "/v1/complete", Samples.Body("/v1/complete"));
        var rotated = (await api.JsonAsync(HttpMethod.Post, $"/v1/auth/keys/{id}/rotate", "{\"graceSeconds\":60}")).GetProperty("apiKey").GetString()!;
        var secrets = new[] { first, rotated, platform.Server.Options.AdminKey }.Select(text => text[(text.LastIndexOf('-') + 1)..]).Append(UpstreamServer.OpenAiKey).Append(UpstreamServer.AnthropicKey).ToArray();

        foreach (var path in new[] { "/v1/auth/keys", $"/v1/auth/keys/{id}", "/v1/usage/attempts", "/v1/usage?groupBy=key", "/metrics" })
        {
            using var answer = await platform.Admin.SendAsync(HttpMethod.Get, path);
            HoldsNone(path, await answer.Content.ReadAsByteArrayAsync(Wait.Token), secrets);
        }

        foreach (var file in Directory.EnumerateFiles(platform.Server.DataFolder, "*", SearchOption.AllDirectories)) HoldsNone(file, ReadShared(file), secrets);
        HoldsNone("the log", Encoding.UTF8.GetBytes(string.Join('\n', platform.Server.Output)), secrets);
        // The search finds what is there.
        Assert.Contains(Directory.EnumerateFiles(platform.Server.DataFolder), file => ReadShared(file).AsSpan().IndexOf(Encoding.UTF8.GetBytes(id)) >= 0);
    }

    [Fact]
    public async Task A_revoked_key_dies_at_once()
    {
        var (id, text) = await platform.Admin.NewKeyAsync("ai:complete");
        using var api = platform.Client(text);
        Assert.Equal(HttpStatusCode.OK, await ModelsAsync(api));
        await platform.Admin.JsonAsync(HttpMethod.Delete, $"/v1/auth/keys/{id}");
        await Wait.UntilAsync(async () => await ModelsAsync(api) == HttpStatusCode.Unauthorized, TimeSpan.FromSeconds(1), () => "the key is dead");
        await platform.Admin.JsonAsync(HttpMethod.Delete, $"/v1/auth/keys/{id}");
        Assert.True((await platform.Admin.GetAsync($"/v1/auth/keys/{id}")).TryGetProperty("revokedAt", out _));
    }

    [Fact]
    public async Task A_rotated_key_lives_on_for_its_grace_only()
    {
        var (id, first) = await platform.Admin.NewKeyAsync("ai:complete");
        using var old = platform.Client(first);
        Assert.Equal(HttpStatusCode.OK, await ModelsAsync(old));
        var second = await RotateAsync(id, 2);
        using var current = platform.Client(second);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (await ModelsAsync(old), await ModelsAsync(current)));
        await Wait.UntilAsync(async () => await ModelsAsync(old) == HttpStatusCode.Unauthorized, TimeSpan.FromSeconds(4), () => "the old text is dead after its grace");
        Assert.Equal(HttpStatusCode.OK, await ModelsAsync(current));

        using var third = platform.Client(await RotateAsync(id, 0));
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (await ModelsAsync(current), await ModelsAsync(third)));
    }

    [Fact]
    public async Task An_expired_key_is_refused()
    {
        var soon = TimeProvider.System.GetUtcNow().AddSeconds(1.5).ToString("O");
        var (_, text) = await platform.Admin.NewKeyAsync("ai:complete", $"\"expiresAt\":\"{soon}\"");
        using var api = platform.Client(text);
        Assert.Equal(HttpStatusCode.OK, await ModelsAsync(api));
        await Wait.UntilAsync(async () => await ModelsAsync(api) == HttpStatusCode.Unauthorized, TimeSpan.FromSeconds(4), () => "the key has expired");
    }

    [Fact]
    public async Task A_key_may_name_its_models_only_and_keep_its_pace()
    {
        var (_, text) = await platform.Admin.NewKeyAsync("ai:complete", "\"models\":[\"gpt-4o-mini\"],\"requestsPerSecond\":0.1,\"burst\":3");
        using var api = platform.Client(text);
        Assert.Equal(["gpt-4o-mini"], (await api.GetAsync("/v1/models")).GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(api, "gpt-4o-mini"));
        Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(api, "gpt-4o"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(api, "gpt-4o-mini"));
        using var limited = await api.PostAsync("/v1/chat/completions", Samples.Body("/v1/chat/completions"));
        Assert.Equal(HttpStatusCode.TooManyRequests, limited.StatusCode);
        Assert.InRange(limited.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 10);
    }

    [Fact]
    public async Task No_key_of_one_tenant_sees_or_touches_another()
    {
        var (_, adminA) = await platform.Admin.NewKeyAsync("admin ai:complete", "\"tenant\":\"a\"");
        var (_, adminB) = await platform.Admin.NewKeyAsync("admin ai:complete", "\"tenant\":\"b\"");
        using var a = platform.Client(adminA);
        using var b = platform.Client(adminB);
        var (idA, textA) = await a.NewKeyAsync("ai:complete");
        using var client = platform.Client(textA);
        await client.JsonAsync(HttpMethod.Post, "/v1/complete", Samples.Body("/v1/complete"));
        await a.JsonAsync(HttpMethod.Post, "/v1/complete", Samples.Body("/v1/complete"));
        Assert.Equal(2, (await Entry.AllAsync(a)).Count);
        Assert.Single(await Entry.AllAsync(client));

        var listed = (await b.GetAsync("/v1/auth/keys")).GetProperty("keys").EnumerateArray().ToArray();
        Assert.All(listed, key => Assert.Equal("b", key.GetProperty("tenant").GetString()));
        Assert.Empty(await Entry.AllAsync(b));
        foreach (var query in new[] { "", $"?key={idA}", "?project=default", "?model=gpt-4o-mini", "?groupBy=key" })
        {
            var usage = await b.GetAsync("/v1/usage" + query);
            Assert.Equal((0L, 0m), (usage.GetProperty("requests").GetInt64(), usage.GetProperty("totalCost").GetDecimal()));
        }

        await IsWalledAsync(b, idA);
        Assert.Equal(HttpStatusCode.OK, await ModelsAsync(client));
    }

    private static async Task IsWalledAsync(Api b, string idA)
    {
        foreach (var id in new[] { idA, idA.ToUpperInvariant(), $"{idA}%00", $"{idA}%20", $"a%2F{idA}", $"..%2Fkeys%2F{idA}", $"{idA};tenant=a", $"%2e%2e/keys/{idA}", $"{idA}'--" })
        {
            foreach (var (method, path) in new[] { (HttpMethod.Get, ""), (HttpMethod.Delete, ""), (HttpMethod.Post, "/rotate") })
            {
                foreach (var (query, status) in new[] { ("", HttpStatusCode.NotFound), ("?tenant=a", HttpStatusCode.Forbidden), ("?tenant=b&tenant=a", HttpStatusCode.Forbidden), ("?tenant=A", HttpStatusCode.Forbidden), ("?Tenant=a", HttpStatusCode.Forbidden) })
                {
                    using var answer = await b.SendAsync(method, $"/v1/auth/keys/{id}{path}{query}", method == HttpMethod.Post ? "{}" : null);
                    // An id that no route takes never gets as far as a tenant.
                    Assert.True(answer.StatusCode == status || (id != idA && answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadRequest), $"{method} {id}{path}{query}: {answer.StatusCode}");
                }
            }
        }

        using var list = await b.SendAsync(HttpMethod.Get, "/v1/auth/keys?tenant=a");
        using var made = await b.PostAsync("/v1/auth/keys", """{"name":"n","scopes":["admin"],"tenant":"a"}""");
        using var risen = await b.PostAsync("/v1/auth/keys", """{"name":"n","scopes":["operator"]}""");
        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden), (list.StatusCode, made.StatusCode, risen.StatusCode));
    }

    /// <summary>What is answered with success only by a WebSocket, while a run or a job waits for it, to a key that may call what is named, or where webhooks are set up.</summary>
    private static bool NeedsMore(ApiContract.Operation operation) => operation.Path is "/v1/ws" or "/v1/jobs/webhook-secret"
        || (operation.Method == "POST" && (operation.Path.StartsWith("/v1/agents/runs/", StringComparison.Ordinal) || operation.Path is "/v1/jobs" or "/v1/jobs/{id}/cancel" or "/v1/admin/jobs/{id}/redrive"));

    private async Task<HttpResponseMessage> CallAsync(Api api, ApiContract.Operation operation)
    {
        if (operation.Path.StartsWith("/v1/agents/", StringComparison.Ordinal)) return await CallAgentsAsync(api, operation);
        var path = operation.Path.Replace("{model}", "gpt-4o-mini", StringComparison.Ordinal).Replace("{name}", NameIn(operation.Path), StringComparison.Ordinal).Replace("{label}", "tests", StringComparison.Ordinal);
        if (path.EndsWith("/rollback", StringComparison.Ordinal)) await Greeting.MoveAsync(platform.Admin, "tests");
        if (path.StartsWith("/v1/jobs/", StringComparison.Ordinal)) path = path.Replace("{id}", (await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/jobs", Samples.Body("/v1/jobs"))).GetProperty("id").GetString()!, StringComparison.Ordinal);
        if (path.Contains("{id}", StringComparison.Ordinal)) path = path.Replace("{id}", (await platform.Admin.NewKeyAsync("ai:complete")).Id, StringComparison.Ordinal);
        if (!path.Contains("{provider}", StringComparison.Ordinal)) return await api.SendAsync(new HttpMethod(operation.Method), path, Samples.Body(operation.Method, operation.Path));

        // There is one to look at and to remove, and none is left to other tests.
        path = path.Replace("{provider}", "openai", StringComparison.Ordinal);
        await platform.Admin.JsonAsync(HttpMethod.Put, path, Samples.Body("PUT", operation.Path));
        var answer = await api.SendAsync(new HttpMethod(operation.Method), path, Samples.Body(operation.Method, operation.Path));
        (await platform.Admin.SendAsync(HttpMethod.Delete, path)).Dispose();
        return answer;
    }

    /// <summary>Of a run that has ended, so that its events end too.</summary>
    private async Task<HttpResponseMessage> CallAgentsAsync(Api api, ApiContract.Operation operation)
    {
        _run ??= (await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/agents/run", Samples.Body("/v1/agents/run"))).GetProperty("id").GetString()!;
        var fact = operation is { Method: "DELETE", Path: "/v1/agents/memory/{id}" } ? (await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/agents/memory?user=ann", Samples.Body("/v1/agents/memory"))).GetProperty("id").GetString()! : _run;
        var path = operation.Path.Replace("{id}", fact, StringComparison.Ordinal).Replace("{call}", "call_1", StringComparison.Ordinal).Replace("{conversation}", "c", StringComparison.Ordinal);
        if (path.StartsWith("/v1/agents/memory", StringComparison.Ordinal)) path += "?user=ann";
        return await api.SendAsync(new HttpMethod(operation.Method), path, Samples.Body(operation.Method, operation.Path));
    }

    private static string NameIn(string path) =>
        path.StartsWith("/v1/tools", StringComparison.Ordinal) ? "calculator" : path.EndsWith("/rollback", StringComparison.Ordinal) ? Greeting.Name : "summarise";

    private async Task<string> RotateAsync(string id, int grace) =>
        (await platform.Admin.JsonAsync(HttpMethod.Post, $"/v1/auth/keys/{id}/rotate", $$"""{"graceSeconds":{{grace}}}""")).GetProperty("apiKey").GetString()!;

    private static async Task<HttpStatusCode> ModelsAsync(Api api)
    {
        using var answer = await api.SendAsync(HttpMethod.Get, "/v1/models");
        return answer.StatusCode;
    }

    private static async Task<HttpStatusCode> AskAsync(Api api, string model)
    {
        using var answer = await api.PostAsync("/v1/chat/completions", Samples.Chat("/v1/chat/completions", "hi", model: model));
        return answer.StatusCode;
    }

    private static void HoldsNone(string where, byte[] bytes, string[] secrets) =>
        Assert.All(secrets, secret => Assert.False(bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(secret)) >= 0, $"{where} holds a secret"));

    private static byte[] ReadShared(string file)
    {
        // Opening the lock file would need the lock; it holds nothing.
        if (file.EndsWith(".lock", StringComparison.Ordinal)) return [];
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return bytes;
    }
}
