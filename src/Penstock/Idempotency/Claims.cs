using Microsoft.Extensions.Logging;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Idempotency;

/// <summary>Names taken in the store, and what is kept under them.</summary>
internal sealed class Claims(IIdempotencyStore store, IdSource ids, TimeProvider time, ILogger<Claim> log)
{
    /// <summary>How long an answer is kept.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromHours(24);

    /// <summary>After how long a request whose process died may run again.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);

    /// <summary>No client's leaving ends a write to the store; it must not hang either.</summary>
    public static readonly TimeSpan LongestWrite = TimeSpan.FromSeconds(30);

    public static readonly Refusal Reused = new(RefusalKind.Unprocessable, "idempotency_key_reused", "This Idempotency-Key was used for another request of this API key in the last 24 hours. Choose a new one.");

    public static readonly Refusal Running =
        new(RefusalKind.Conflict, "idempotency_running", "A request with this Idempotency-Key is running. Send it again in a moment to get its answer.") { RetryAfter = TimeSpan.FromSeconds(1), Retryable = true };

    private static readonly Refusal Unreadable =
        new(RefusalKind.Conflict, "idempotency_unreadable", "This Idempotency-Key was answered under an earlier secret of this API key, and only that one opens the answer. Choose a new one.");

    /// <summary>Headers that belong to one delivery of an answer, not to the answer.</summary>
    public static bool OfOneDelivery(string name) =>
        name.Contains("ratelimit", StringComparison.OrdinalIgnoreCase) || name.ToLowerInvariant() is "x-request-id" or "request-id" or "date" or "connection" or "transfer-encoding" or "retry-after" or "x-penstock-budget-remaining-usd";

    /// <summary>The name of the request's id is kept, so that each delivery can put its own there.</summary>
    public static bool IsKept(string header) => !OfOneDelivery(header) || IsRequestId(header);

    public static bool IsRequestId(string header) => header.Equals("request-id", StringComparison.OrdinalIgnoreCase);

    /// <summary>Takes the name; the answer where there is one already. Throws 409 while it is another's, and 422 where it was another request's.</summary>
    public async Task<(RecordedHead Head, ReadOnlyMemory<byte> Body)?> TakeAsync(RunningRequest request)
    {
        using var timeout = new CancellationTokenSource(LongestWrite, time);
        request.Owner = ids.Next("own_");
        var now = time.GetUtcNow();
        var result = await store.ClaimAsync(new IdempotencyClaim(request.Name, request.Hash, request.Owner, now + Lease, now + Kept), now, timeout.Token);
        return result.Kind switch
        {
            ClaimKind.Started => null,
            ClaimKind.Running => throw new RefusedException(Running),
            ClaimKind.Other => throw new RefusedException(Reused),
            _ => SealedAnswer.Open(request.ApiKey, request.Name, request.Hash, result.Answer.Span) ?? throw new RefusedException(Unreadable),
        };
    }

    /// <summary>Keeps the lease alive until the claim is completed, released or disposed of.</summary>
    public Claim Hold(RunningRequest request) => new(store, request, time, log);
}
