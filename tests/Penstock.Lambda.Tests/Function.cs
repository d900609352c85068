using System.Security.Cryptography;
using System.Text.Json;
using Penstock.LambdaFront;
using Penstock.Upstream;

namespace Penstock.Lambda.Tests;

/// <summary>The real host as one process, between the strict Runtime API and the vendors' stand-in; shared by the tests of a class.</summary>
public class Function : IAsyncLifetime
{
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);

    private DirectoryInfo _folder = null!;

    internal string AdminKey { get; } = $"sk-pen-test-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))}";

    internal UpstreamServer Upstream { get; private set; } = null!;

    internal RuntimeStandIn Lambda { get; private set; } = null!;

    internal LambdaProcess Process { get; private set; } = null!;

    internal virtual string Config => """{ "routing": { "retries": 0, "breaker": "off" } }""";

    internal virtual IReadOnlyDictionary<string, string?> Environment => new Dictionary<string, string?>();

    public virtual async ValueTask InitializeAsync()
    {
        _folder = Directory.CreateTempSubdirectory("penstock-lambda-");
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "penstock.json"), Config);
        Upstream = await UpstreamServer.StartAsync();
        Lambda = await RuntimeStandIn.StartAsync();
        Process = LambdaProcess.Start(Lambda.Address, _folder.FullName, Reaching(Upstream).Concat([new("PENSTOCK_DATA", Path.Combine(_folder.FullName, "data")), new("PENSTOCK_ADMIN_KEY", AdminKey)]).Concat(Environment));
        await AskedAsync(1);
        // The first call of a process that was not compiled beforehand takes long, and tests of deadlines are no tests of that.
        await InvokeAsync(Url("POST", "/v1/chat/completions", Chat("first", stream: true)));
        Upstream.Seen.Clear();
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Process is not null) await Process.DisposeAsync();
        if (Lambda is not null) await Lambda.DisposeAsync();
        if (Upstream is not null) await Upstream.DisposeAsync();
        _folder?.Delete(recursive: true);
        // Whatever the tests of the class asked of it, it kept to the Runtime API.
        if (Lambda is not null) Assert.Empty(Lambda.Breaches);
    }

    /// <summary>Returns when the function asked for an event so many times: it is through with those before.</summary>
    internal Task AskedAsync(int times) => Wait.UntilAsync(() => Lambda.Asked >= times || !Process.Running, StartTime, () => $"event {times} was not asked for:\n{string.Join('\n', Process.Output)}");

    /// <summary>What was written before the next event was asked for is on its way to us.</summary>
    internal Task LoggedAsync(string text) => Wait.UntilAsync(() => Process.Output.Any(line => line.Contains(text, StringComparison.Ordinal)), TimeSpan.FromSeconds(2), () => $"no '{text}' in\n{string.Join('\n', Process.Output)}");

    internal async Task<InvocationEnd> InvokeAsync(string payload, TimeSpan? timeout = null) => await Lambda.Send(payload, timeout).Ended.WaitAsync(StartTime, Wait.Token);

    /// <summary>A function URL's event.</summary>
    internal string Url(string method, string path, string? body = null, string? conversation = null) => JsonSerializer.Serialize(new
    {
        version = "2.0",
        rawPath = path.Split('?')[0],
        rawQueryString = path.Contains('?', StringComparison.Ordinal) ? path.Split('?')[1] : "",
        headers = new Dictionary<string, string?> { ["authorization"] = $"Bearer {AdminKey}", ["content-type"] = "application/json", ["x-penstock-conversation"] = conversation ?? "none" },
        requestContext = new { domainName = "abc.lambda-url.us-east-1.on.aws", stage = "$default", http = new { method, path, sourceIp = "192.0.2.7" } },
        body,
        isBase64Encoded = false,
    });

    /// <summary>The answer of a function URL that does not stream.</summary>
    internal async Task<(int Status, JsonElement Body)> CallAsync(string method, string path, string? body = null)
    {
        var end = await InvokeAsync(Url(method, path, body));
        var answer = JsonDocument.Parse(end.Streamed ? end.Body.AsMemory(0, end.Body.AsSpan().IndexOf(new byte[8])) : end.Body).RootElement;
        var text = end.Streamed ? System.Text.Encoding.UTF8.GetString(end.Body.AsSpan(end.Body.AsSpan().IndexOf(new byte[8]) + 8)) : answer.GetProperty("body").GetString()!;
        return (answer.GetProperty("statusCode").GetInt32(), text.StartsWith('{') ? JsonDocument.Parse(text).RootElement : default);
    }

    /// <summary>Rows of the ledger that are of one conversation.</summary>
    internal async Task<JsonElement[]> RowsAsync(string conversation)
    {
        var (_, body) = await CallAsync("GET", "/v1/usage/attempts?limit=1000");
        return [.. body.GetProperty("attempts").EnumerateArray().Where(row => row.TryGetProperty("conversation", out var name) && name.GetString() == conversation)];
    }

    internal static string Chat(string prompt, bool stream) => JsonSerializer.Serialize(new { model = "gpt-4o-mini", stream, messages = new[] { new { role = "user", content = prompt } } });

    internal static IReadOnlyDictionary<string, string?> Reaching(UpstreamServer upstream) => new Dictionary<string, string?>
    {
        ["OPENAI_API_KEY"] = UpstreamServer.OpenAiKey,
        ["OPENAI_BASE_URL"] = upstream.BaseUrl + "/v1",
        ["ANTHROPIC_API_KEY"] = UpstreamServer.AnthropicKey,
        ["ANTHROPIC_BASE_URL"] = upstream.BaseUrl,
    };
}

/// <summary>The same, whose answers go out while they are made.</summary>
public sealed class StreamingFunction : Function
{
    internal override IReadOnlyDictionary<string, string?> Environment => new Dictionary<string, string?> { ["PENSTOCK_LAMBDA_RESPONSE"] = "stream" };
}
