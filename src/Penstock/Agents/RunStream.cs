using System.Text;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway;
using Penstock.Http;

namespace Penstock.Agents;

/// <summary>
/// A run's events as server-sent events. What is sent is rendered from the store, so that a stream that was cut and resumed at any event is, joined, the very bytes of
/// one that was not; only the comments that fill a silence differ.
/// </summary>
/// <seealso href="https://html.spec.whatwg.org/multipage/server-sent-events.html"/>
internal sealed class RunStream(RunEvents events, Drain drain, TimeProvider time)
{
    public const string RunHeader = "x-penstock-run";
    public const string LastEventId = "Last-Event-ID";

    private const int MostUnflushed = 64 * 1024;
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(15);

    /// <summary>Where the client wants to go on: a reconnecting one sends the header beside the address it had at first. Null from the start.</summary>
    public static RunCursor? Cursor(HttpContext http, RunRecord run)
    {
        if (http.Request.Headers[LastEventId].ToString() is { Length: > 0 } last) return RunCursor.Parse(last, LastEventId).In(run, LastEventId);
        return http.Request.Query["after"].ToString() is { Length: > 0 } after ? RunCursor.Parse(after, "after").In(run, "after") : null;
    }

    /// <summary>Sends events until the run has ended, the client leaves, or this server stops; a client that comes back goes on at another.</summary>
    public async Task SendAsync(HttpContext http, RunRecord run, RunCursor? after)
    {
        // An EventSource comes back after every end; only this answer tells it not to.
        if (after is { } place && run.Ended && place.Seq == run.NextSeq - 1)
        {
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, drain.Begun);
        Relay.AddStreamHeaders(http.Response);
        http.Response.Headers[RunHeader] = run.Id.Value;
        await http.Response.StartAsync(http.RequestAborted);
        try
        {
            await CopyAsync(http, events.Open(run, after ?? RunCursor.Start), stop.Token);
        }
        catch (OperationCanceledException e) when (e is not ClientGoneException && drain.Started && !http.RequestAborted.IsCancellationRequested)
        {
            // Not its end: what was sent must not be kept as the whole.
            RequestScope.Of(http).Incomplete = true;
        }
    }

    private async Task CopyAsync(HttpContext http, RunReader reader, CancellationToken ct)
    {
        var sent = time.GetTimestamp();
        await ClientWrites.FlushAsync(http, time, ct);
        while (true)
        {
            var page = await reader.ReadAsync(ct);
            foreach (var one in page)
            {
                Write(http, $"id: {one.Id}\nevent: {one.Kind}\ndata: {one.Data}\n\n");
                if (http.Response.BodyWriter.UnflushedBytes >= MostUnflushed) await ClientWrites.FlushAsync(http, time, ct);
            }

            if (reader.Ended) return;
            var silent = time.GetElapsedTime(sent) >= Silence;
            if (page.Count == 0 && silent) Write(http, ": ping\n\n");
            if (page.Count > 0 || silent)
            {
                await ClientWrites.FlushAsync(http, time, ct);
                sent = time.GetTimestamp();
            }

            if (page.Count == 0) await reader.WaitAsync(ct);
        }
    }

    private static void Write(HttpContext http, string text) => Encoding.UTF8.GetBytes(text, http.Response.BodyWriter);
}
