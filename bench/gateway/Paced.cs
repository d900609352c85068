using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Penstock.Bench.Gateway;

/// <summary>
/// The stand-in that streams: the first word at once, and the others at the pace that the request asks for.
/// </summary>
internal static class Paced
{
    private static readonly ReadOnlyMemory<byte>[] Frames = [.. Enumerable.Range(0, Sample.Frames + 3).Select(number => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(Sample.Frame(number)))];

    /// <summary>Who asks by this name gets a word a second: see <see cref="Asked.Slowly"/>.</summary>
    private static readonly byte[] Slowly = "\"slowly\""u8.ToArray();

    public static async Task RunAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ListenLocalhost(port);
            kestrel.Limits.MinResponseDataRate = null;
        });
        await using var app = builder.Build();
        app.Run(AnswerAsync);
        await app.RunAsync();
    }

    private static async Task AnswerAsync(HttpContext http)
    {
        var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        var pace = TimeSpan.FromMilliseconds(body.GetBuffer().AsSpan(0, (int)body.Length).IndexOf(Slowly) >= 0 ? 1_000 : 10);
        http.Response.ContentType = "text/event-stream; charset=utf-8";
        for (var number = 0; number < Frames.Length; number++)
        {
            await http.Response.Body.WriteAsync(Frames[number]);
            // The first two are one: a role, and the first word.
            if (number == 0) continue;
            await http.Response.Body.FlushAsync();
            if (number <= Sample.Frames) await Task.Delay(pace, TimeProvider.System, http.RequestAborted);
        }
    }
}
