using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Agents;

/// <summary>What a tool's endpoint got.</summary>
internal sealed record ToolSeen(string Tool, string Arguments, string Key, DateTimeOffset At);

/// <summary>Tools of the operator's on a real socket, which count what is asked of them and how much at once.</summary>
internal sealed class ToolHost : IAsyncDisposable
{
    public const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, Func<JsonElement, CancellationToken, Task<string>>> _tools = new();
    private readonly ConcurrentQueue<ToolSeen> _seen = new();
    private int _inFlight;
    private int _peak;

    private ToolHost(WebApplication app) => _app = app;

    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Most calls at once since <see cref="Clear"/>.</summary>
    public int Peak => Volatile.Read(ref _peak);

    public static async Task<ToolHost> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var host = new ToolHost(app);
        app.MapPost("/{tool}", host.CallAsync);
        await app.StartAsync(Wait.Token);
        return host;
    }

    /// <summary>As it stands in <c>tools.http</c>.</summary>
    public string Setting(string name, string effect = "idempotent", string input = """{"type": "object"}""", int concurrency = 1_000, string? reconcile = null) => $$"""
        "{{name}}": {"url": "{{_app.Urls.Single()}}/{{name}}", "secret": "{{Secret}}", "description": "{{name}}", "effect": "{{effect}}", "concurrency": {{concurrency}}, "input": {{input}}{{(reconcile is null ? "" : $", \"reconcile\": \"{_app.Urls.Single()}/{reconcile}\"")}}}
        """;

    /// <summary>What <paramref name="tool"/> does; one that is not told answers <c>{"ok": true}</c>.</summary>
    public void Does(string tool, Func<JsonElement, CancellationToken, Task<string>> work) => _tools[tool] = work;

    public IReadOnlyList<ToolSeen> Seen(string tool) => [.. _seen.Where(call => call.Tool == tool)];

    public void Clear()
    {
        _seen.Clear();
        Volatile.Write(ref _peak, 0);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task CallAsync(HttpContext http)
    {
        var tool = (string)http.Request.RouteValues["tool"]!;
        using var body = await JsonDocument.ParseAsync(http.Request.Body, default, http.RequestAborted);
        var arguments = body.RootElement.GetProperty("data").GetProperty("arguments").Clone();
        _seen.Enqueue(new ToolSeen(tool, arguments.GetRawText(), http.Request.Headers["webhook-id"].ToString(), TimeProvider.System.GetUtcNow()));
        Raise(Interlocked.Increment(ref _inFlight));
        string text;
        try
        {
            text = _tools.TryGetValue(tool, out var work) ? await work(arguments, http.RequestAborted) : """{"ok": true}""";
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (ToolBrokenException)
        {
            http.Response.StatusCode = 422;
            text = """{"error": "it is broken"}""";
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }

        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(text, http.RequestAborted);
    }

    private void Raise(int now)
    {
        int peak;
        while (now > (peak = Volatile.Read(ref _peak)) && Interlocked.CompareExchange(ref _peak, now, peak) != peak)
        {
        }
    }
}

/// <summary>Makes an endpoint answer that it will not.</summary>
internal sealed class ToolBrokenException : Exception;
