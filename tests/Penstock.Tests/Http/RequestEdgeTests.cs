using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Penstock.Gateway;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Penstock.Tests.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Http;

public sealed class RequestEdgeTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(config: """{"gateway": {"maxBodyBytes": 4096}}""");

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("GET", "/nowhere", 404, "route_not_found")]
    [InlineData("GET", "/v1/chat/completions/", 405, "method_not_allowed")]
    [InlineData("GET", "/v1/chat/completions", 405, "method_not_allowed")]
    [InlineData("DELETE", "/v1/usage", 405, "method_not_allowed")]
    [InlineData("HEAD", "/health", 405, "method_not_allowed")]
    [InlineData("BREW", "/health", 405, "method_not_allowed")]
    [InlineData("POST", "/%2e%2e/%0a", 404, "route_not_found")]
    [InlineData("GET", "/v1/auth/keys/a/b/c", 404, "route_not_found")]
    public async Task What_no_route_answers_is_refused_in_our_own_shape(string method, string path, int status, string code)
    {
        var answer = await _host.SendAsync(new HttpMethod(method), path);

        Assert.Equal(status, answer.Status);
        Assert.Equal("application/problem+json", answer.Headers["Content-Type"]);
        if (status == 405) Assert.NotEmpty(answer.Headers["Allow"]);
        if (method == "HEAD") return;
        Assert.Equal((code, answer.RequestId), (answer.Text("code"), answer.Text("request_id")));
    }

    [Theory]
    [InlineData("/v1/chat/completions", "error", "message")]
    [InlineData("/v1/messages", "error", "message")]
    [InlineData("/v1/complete", "detail", null)]
    [InlineData("/v1/embeddings", "error", "message")]
    [InlineData("/ai", "error", null)]
    public async Task Each_route_refuses_in_its_own_dialect(string path, string first, string? second)
    {
        var answer = await _host.PostAsync(path, "{", key: null);

        Assert.Equal(401, answer.Status);
        Assert.StartsWith("No API key was sent.", second is null ? answer.Text(first) : answer.Text(first, second), StringComparison.Ordinal);
        Assert.Equal("Bearer", answer.Headers["WWW-Authenticate"]);
    }

    public static TheoryData<string, byte[]> Bodies()
    {
        var data = new TheoryData<string, byte[]>();
        data.Add("empty", []);
        data.Add("not JSON", "hello"u8.ToArray());
        data.Add("half", """{"model": "gpt-4o-mini", "messages": ["""u8.ToArray());
        data.Add("two", "{}{}"u8.ToArray());
        data.Add("array", "[]"u8.ToArray());
        data.Add("null", "null"u8.ToArray());
        data.Add("deep", Encoding.ASCII.GetBytes("{\"messages\": " + new string('[', 2000) + new string(']', 2000) + "}"));
        data.Add("not UTF-8", [.. "{\"model\": \""u8, 0xff, 0xfe, .. "\"}"u8]);
        data.Add("twice", """{"model": "a", "model": "b", "messages": []}"""u8.ToArray());
        data.Add("surrogate", """{"model": "\ud83d", "messages": [{"role": "user", "content": "x"}]}"""u8.ToArray());
        data.Add("surrogate name", """{"\ud83d": 1}"""u8.ToArray());
        data.Add("NUL", "{\"model\": \"a\0b\"}"u8.ToArray());
        data.Add("mark", [0xef, 0xbb, 0xbf, .. "{}"u8]);
        return data;
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task A_body_that_is_no_request_is_400_on_every_route(string what, byte[] body)
    {
        foreach (var path in new[] { "/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/complete", "/v1/stream", "/v1/embed", "/v1/embeddings", "/v1/classify", "/v1/suggest", "/ai", "/v1/auth/keys" })
        {
            using var response = await _host.Client.PostAsync(path, new ByteArrayContent(body), Ct);

            Assert.True(response.StatusCode == HttpStatusCode.BadRequest, $"{what} on {path}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync(Ct)}");
        }

        Assert.Empty(_host.Script.Calls);
        Assert.DoesNotContain(_host.Log.Lines, line => line.Level >= LogLevel.Error);
    }

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/messages")]
    [InlineData("/v1/complete")]
    [InlineData("/v1/embeddings")]
    [InlineData("/ai")]
    public async Task A_body_over_the_limit_is_413_told_or_not(string path)
    {
        Assert.Equal(400, (await _host.PostAsync(path, new string(' ', 4096))).Status);
        Assert.Equal(413, (await _host.PostAsync(path, new string(' ', 4097))).Status);

        // Without a length header the limit holds while reading: the server answers though the body never ends.
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, _host.Address.Port, Ct);
        var chunk = $"1000\r\n{new string(' ', 4096)}\r\n";
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {GatewayHost.OperatorKey}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"), Ct);
        var answer = await new StreamReader(socket.GetStream()).ReadLineAsync(Ct);
        Assert.Equal("HTTP/1.1 413 Payload Too Large", answer);
        socket.Close();
        await GatewayHost.UntilAsync(() => Requests().Count == 3);
        await _host.GetAsync("/health");
        Assert.DoesNotContain(_host.Log.Lines, line => line.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task A_compressed_body_is_415()
    {
        var answer = await _host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(), GatewayHost.OperatorKey, ("Content-Encoding", "gzip"));

        Assert.Equal((415, "content_encoding"), (answer.Status, answer.Text("error", "code")));
    }

    [Fact]
    public async Task Chunks_that_are_malformed_are_400()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, _host.Address.Port, Ct);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST /v1/complete HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {GatewayHost.OperatorKey}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"), Ct);

        var answer = await new StreamReader(socket.GetStream()).ReadLineAsync(Ct);

        Assert.Equal("HTTP/1.1 400 Bad Request", answer);
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_sends_its_body_is_no_error()
    {
        for (var i = 0; i < 10; i++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, _host.Address.Port, Ct);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /v1/complete HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {GatewayHost.OperatorKey}\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"), Ct);
            // The server says so once it reads the body.
            Assert.NotEqual(0, await socket.ReceiveAsync(new byte[100], Ct));
            await socket.SendAsync("{"u8.ToArray(), Ct);
            if (i % 2 == 0) socket.LingerState = new LingerOption(true, 0);
        }

        await GatewayHost.UntilAsync(() => Requests().Count(line => line.Text.Contains("/v1/complete", StringComparison.Ordinal)) == 10);
        Assert.DoesNotContain(_host.Log.Lines, line => line.Level >= LogLevel.Error);
        Assert.All(Requests(), line => Assert.Matches(" (499|400) ", line.Text));
    }

    [Fact]
    public async Task Every_answer_has_an_id_of_its_own_and_one_log_line_that_names_it()
    {
        const string Canary = "PROMPT-CANARY";
        var weak = await _host.AddKeyAsync("weak", Scopes.Embed);
        List<Answer> answers =
        [
            await _host.GetAsync("/health"), await _host.GetAsync("/health/ready"), await _host.GetAsync("/metrics"), await _host.GetAsync("/openapi/v1.json"), await _host.GetAsync("/nowhere"),
            await _host.GetAsync($"/v1/auth/keys/{GatewayHost.OperatorKey}"), await _host.GetAsync("/v1/models"), await _host.GetAsync($"/v1/models/{Canary}"), await _host.GetAsync("/v1/usage?from=" + Canary),
            await _host.PostAsync("/v1/auth/keys", """{"name": "PROMPT-CANARY", "scopes": ["ai:complete"]}"""), await _host.PostAsync("/v1/complete", "{", key: null),
            await _host.ChatAsync(prompt: Canary), await _host.ChatAsync(stream: true, prompt: Canary), await _host.ChatAsync(key: weak, prompt: Canary), await _host.ChatAsync(key: "sk-pen-nobody-" + Callers.Secret),
            await _host.PostAsync("/v1/embed", """{"model": "text-embedding-3-small", "input": "PROMPT-CANARY"}"""), await _host.PostAsync("/ai", """{"prompt": "PROMPT-CANARY", "model": "gpt-4o-mini"}"""),
            await _host.PostAsync("/v1/messages/count_tokens", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "PROMPT-CANARY"}]}"""), await _host.PostAsync("/v1/complete", new string('x', 5000)),
        ];
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Rejected, Canary, 400));
        answers.Add(await _host.ChatAsync(prompt: Canary));

        Assert.Equal(answers.Count, answers.Select(answer => answer.RequestId).Distinct().Count());
        Assert.All(answers, answer => Assert.Matches("^req_[0-9a-f]{24}$", answer.RequestId));
        foreach (var answer in answers)
        {
            await GatewayHost.UntilAsync(() => _host.Log.Own.Any(line => line.Text.Contains(answer.RequestId, StringComparison.Ordinal)), answer.Body);
            Assert.Single(_host.Log.Own, line => line.Text.Contains(answer.RequestId, StringComparison.Ordinal));
        }

        Assert.DoesNotContain(_host.Log.Lines, line => line.ToString().Contains(Callers.Secret, StringComparison.Ordinal));
        Assert.DoesNotContain(_host.Log.Lines, line => line.ToString().Contains(Canary, StringComparison.Ordinal));
        Assert.DoesNotContain(_host.Log.Lines, line => line.ToString().Contains("sk-upstream", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_client_names_cannot_forge_a_log_line_or_a_header()
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.End(TokenCounts.Of(1, 1)));
        foreach (var forged in new[] { "x\\nattempt forged", "x\\u001b[2J", "x\\r\\nset-cookie: a=b", "x\\u0085y", "x\\u2028y" })
        {
            await _host.PostAsync("/v1/complete", $$"""{"model": "local/{{forged}}", "messages": [{"role": "user", "content": "x"}]}""");
            await _host.PostAsync("/v1/complete", $$"""{"model": "gpt-4o-mini", "conversation": "{{forged}}", "messages": [{"role": "user", "content": "x"}]}""");
        }

        var unicode = await _host.PostAsync("/v1/complete", """{"model": "local/größe-🦀", "messages": [{"role": "user", "content": "x"}]}""");

        Assert.Equal(200, unicode.Status);
        Assert.DoesNotContain(unicode.Headers["x-penstock-model"], c => c is < ' ' or > '~');
        Assert.DoesNotContain(_host.Log.Own, line => line.Text.Any(c => char.IsControl(c) || c is '\u2028' or '\u2029'));
    }

    [Fact]
    public async Task A_request_is_logged_by_its_route_and_never_by_its_path()
    {
        await _host.GetAsync("/v1/auth/keys/sk-pen-somebody-typed-this");
        await _host.GetAsync("/sk-pen-somebody-typed-this");

        await GatewayHost.UntilAsync(() => Requests().Count == 2);
        Assert.DoesNotContain(_host.Log.Lines, line => line.Text.Contains("typed", StringComparison.Ordinal));
        Assert.Contains(Requests(), line => line.Text.Contains("GET /v1/auth/keys/{id} 404", StringComparison.Ordinal) && line.Text.EndsWith("key root", StringComparison.Ordinal));
        Assert.Contains(Requests(), line => line.Text.Contains("GET (none) 404", StringComparison.Ordinal));
    }

    [Fact]
    public async Task While_it_drains_only_health_answers()
    {
        _host.StartDrain();

        Assert.Equal(200, (await _host.GetAsync("/health")).Status);
        Assert.Equal((503, "draining"), ((await _host.GetAsync("/health/ready")).Status, (await _host.GetAsync("/health/ready")).Text("status")));
        foreach (var path in new[] { "/v1/models", "/nowhere", "/v1/usage", "/metrics" })
        {
            var answer = await _host.GetAsync(path);
            Assert.Equal((503, "1"), (answer.Status, answer.Headers["Retry-After"]));
        }
    }

    [Theory]
    [InlineData("/v1/chat/completions", 503, "application/json", "error", "code", "shutting_down")]
    [InlineData("/v1/embeddings", 503, "application/json", "error", "code", "shutting_down")]
    [InlineData("/v1/messages", 529, "application/json", "error", "type", "overloaded_error")]
    [InlineData("/v1/complete", 503, "application/problem+json", null, "code", "shutting_down")]
    public async Task While_it_drains_a_refusal_speaks_its_routes_dialect(string path, int status, string type, string? outer, string name, string value)
    {
        _host.StartDrain();

        var answer = await _host.PostAsync(path, "{}");

        Assert.Equal((status, type), (answer.Status, answer.Headers["Content-Type"].Split(';')[0]));
        Assert.Equal(value, outer is null ? answer.Text(name) : answer.Text(outer, name));
    }

    [Theory]
    [InlineData(0.0001, "1", "1")]
    [InlineData(0.9, "1", "900")]
    [InlineData(1.0001, "2", "1001")]
    public async Task A_wait_is_told_in_whole_seconds_and_in_milliseconds_never_too_short(double seconds, string whole, string milliseconds)
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Limited, "slow down", 429, retryAfter: TimeSpan.FromSeconds(seconds)));

        var answer = await _host.ChatAsync();

        Assert.Equal((429, whole, milliseconds), (answer.Status, answer.Headers["Retry-After"], answer.Headers["retry-after-ms"]));
        Assert.False(answer.Headers.ContainsKey("x-should-retry"));
    }

    private List<LogLine> Requests() => [.. _host.Log.Own.Where(line => line.Text.StartsWith("request ", StringComparison.Ordinal))];
}
