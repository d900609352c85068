using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Penstock.EndToEnd.Golden;

/// <summary>A vendor on a real socket that writes down what it is sent and answers with bytes recorded beforehand.</summary>
internal sealed class ReplayUpstream : IAsyncDisposable
{
    /// <summary>A stream goes out in pieces of so many bytes, so that events and characters break anywhere.</summary>
    private const int Piece = 61;

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<HttpText> _heard = [];

    private ReplayUpstream()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(System.Net.IPAddress.Loopback, 0);
        });
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    public string Url => _app.Urls.First();

    /// <summary>What the next call is answered with; none is a failure of the test.</summary>
    public HttpText? Answer { get; set; }

    public static async Task<ReplayUpstream> StartAsync()
    {
        var upstream = new ReplayUpstream();
        await upstream._app.StartAsync();
        return upstream;
    }

    /// <summary>What was heard since this was last asked.</summary>
    public IReadOnlyList<HttpText> TakeHeard()
    {
        var heard = new List<HttpText>();
        while (_heard.TryDequeue(out var request)) heard.Add(request);
        return heard;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        var headers = http.Request.Headers.Select(header => KeyValuePair.Create(header.Key, header.Value.ToString()));
        _heard.Enqueue(HttpText.Of($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}", headers, body.ToArray()));

        var answer = Answer ?? HttpText.Parse("418\n\nno answer was recorded for this call");
        http.Response.StatusCode = int.Parse(answer.Start, CultureInfo.InvariantCulture);
        foreach (var (name, value) in answer.Headers) http.Response.Headers.Append(name, value);
        var bytes = answer.Bytes;
        var whole = http.Response.ContentType?.StartsWith("text/event-stream", StringComparison.Ordinal) != true;
        if (whole) http.Response.ContentLength = bytes.Length;
        foreach (var piece in bytes.Chunk(whole ? bytes.Length : Piece))
        {
            await http.Response.Body.WriteAsync(piece, http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
    }
}
