using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Penstock.EndToEnd.Load;

/// <summary>Stands before DynamoDB, counts what is written to the table of budgets, and may let the end of each answer lag behind its beginning.</summary>
internal sealed class DynamoMeter : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _http;
    private readonly TimeSpan _lag;
    private long _items;
    private long _requests;

    private DynamoMeter(Uri behind, TimeSpan lag)
    {
        _lag = lag;
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 256 }) { BaseAddress = behind };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null).UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.Run(ForwardAsync);
    }

    public Uri Endpoint => new(_app.Urls.Single());

    /// <summary>Balances that were written: a transaction over three of them is three.</summary>
    public long Items => Interlocked.Read(ref _items);

    /// <summary>Requests that wrote any.</summary>
    public long Requests => Interlocked.Read(ref _requests);

    public static async Task<DynamoMeter> StartAsync(Uri behind, TimeSpan lag = default)
    {
        var meter = new DynamoMeter(behind, lag);
        await meter._app.StartAsync();
        return meter;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task ForwardAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var target = context.Request.Headers["X-Amz-Target"].ToString();
        Count(target, body);

        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new ByteArrayContent(body.GetBuffer(), 0, (int)body.Length) };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(context.Request.ContentType ?? "application/x-amz-json-1.0");
        foreach (var name in new[] { "X-Amz-Target", "X-Amz-Date", "Authorization", "Host" })
        {
            if (context.Request.Headers.TryGetValue(name, out var value)) request.Headers.TryAddWithoutValidation(name, value.ToString());
        }

        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        foreach (var (name, value) in answer.Headers)
        {
            if (name.StartsWith("x-amz", StringComparison.OrdinalIgnoreCase)) context.Response.Headers[name] = value.ToArray();
        }

        if (_lag == TimeSpan.Zero)
        {
            await answer.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
            return;
        }

        var whole = await answer.Content.ReadAsByteArrayAsync(context.RequestAborted);
        await context.Response.Body.WriteAsync(whole.AsMemory(0, whole.Length / 2), context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
        await Task.Delay(_lag, TimeProvider.System, context.RequestAborted);
        await context.Response.Body.WriteAsync(whole.AsMemory(whole.Length / 2), context.RequestAborted);
    }

    private void Count(string target, MemoryStream body)
    {
        if (body.GetBuffer().AsSpan(0, (int)body.Length).IndexOf("\"ai-platform-budgets\""u8) < 0) return;
        var request = JsonElement.Parse(body.GetBuffer().AsSpan(0, (int)body.Length));
        var found = target.Split('.')[^1] switch
        {
            "TransactWriteItems" => request.GetProperty("TransactItems").EnumerateArray().Count(IsWrite),
            "UpdateItem" or "PutItem" => 1,
            _ => 0,
        };
        if (found == 0) return;
        Interlocked.Add(ref _items, found);
        Interlocked.Increment(ref _requests);
    }

    /// <summary>What only looks is no write.</summary>
    private static bool IsWrite(JsonElement item)
    {
        var write = item.EnumerateObject().Single();
        return write.Name != "ConditionCheck" && write.Value.GetProperty("TableName").GetString() == "ai-platform-budgets";
    }
}
