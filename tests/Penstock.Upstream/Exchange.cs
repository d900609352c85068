using System.Text.Encodings.Web;
using System.Text.Json;

namespace Penstock.Upstream;

/// <summary>One call on its way: the HTTP side, and what is noted about it.</summary>
internal sealed class Exchange(HttpContext http, SeenLog seen, int number, TimeProvider time) : IDisposable
{
    /// <summary>Escapes only what JSON must, as the vendors do.</summary>
    public static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Lock _lock = new();
    private CancellationTokenRegistration _leaving;
    private bool _over;

    public HttpContext Http { get; } = http;

    public int Number { get; } = number;

    public DateTimeOffset Now => time.GetUtcNow();

    /// <summary>Cancelled when the client leaves.</summary>
    public CancellationToken Gone => Http.RequestAborted;

    public void Watch() => _leaving = Http.RequestAborted.Register(() => Close(SeenOutcome.Aborted));

    public void Note(Func<SeenCall, SeenCall> change) => seen.Update(Number, change);

    /// <summary>Notes the outcome; the first one stands.</summary>
    public void Close(SeenOutcome outcome, BilledTokens? billed = null, bool usageSent = false)
    {
        lock (_lock)
        {
            if (_over) return;
            _over = true;
        }

        var now = Now;
        Note(call => call with
        {
            Outcome = outcome,
            Status = Http.Response.HasStarted || outcome != SeenOutcome.Aborted ? Http.Response.StatusCode : 0,
            EndedAt = now,
            AbortedAt = outcome == SeenOutcome.Aborted ? now : null,
            Billed = billed ?? call.Billed,
            UsageSent = usageSent,
        });
    }

    /// <summary>Ends the connection without an end to the answer.</summary>
    public void Drop(SeenOutcome outcome)
    {
        Close(outcome);
        Http.Abort();
    }

    public Task WaitAsync(int milliseconds) => milliseconds <= 0 ? Task.CompletedTask : Task.Delay(TimeSpan.FromMilliseconds(milliseconds), time, Gone);

    public async Task SendAsync(int status, ReadOnlyMemory<byte> body, string contentType = "application/json")
    {
        Http.Response.StatusCode = status;
        Http.Response.ContentType = contentType;
        Http.Response.ContentLength = body.Length;
        await Http.Response.BodyWriter.WriteAsync(body, Gone);
    }

    public static byte[] Json(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Plain)) write(json);
        return buffer.ToArray();
    }

    public void Dispose()
    {
        // What waited for the client ends before the notice registered here gets its turn.
        if (Gone.IsCancellationRequested) Close(SeenOutcome.Aborted);
        _leaving.Dispose();
    }
}
