using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Penstock.Http;

/// <summary>Writes to a client that reads at its own pace.</summary>
internal static class ClientWrites
{
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    /// <summary>Sends what was written. A client that reads nothing for <see cref="Longest"/> is gone: it would hold what feeds it for ever.</summary>
    public static async ValueTask FlushAsync(HttpContext http, TimeProvider time, CancellationToken ct)
    {
        var flush = http.Response.BodyWriter.FlushAsync(ct);
        var flushed = flush.IsCompletedSuccessfully ? flush.Result : await InTimeAsync(flush.AsTask(), http, time, ct);
        if (flushed.IsCompleted || flushed.IsCanceled) throw new ClientGoneException(ct);
    }

    private static async Task<FlushResult> InTimeAsync(Task<FlushResult> writing, HttpContext http, TimeProvider time, CancellationToken ct)
    {
        Task inTime = writing.WaitAsync(Longest, time, CancellationToken.None);
        await inTime.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (writing.IsCompleted) return await writing;
        http.Abort();
        throw new ClientGoneException(ct);
    }
}
