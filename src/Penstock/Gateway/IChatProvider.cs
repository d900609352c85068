using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>
/// A model vendor, or a server that speaks like one. A provider makes one call when told to: no retries, no fallback.
/// Every failure to answer is a <see cref="ProviderException"/>, before the first frame or between two;
/// cancellation closes the connection at once and throws <see cref="OperationCanceledException"/>.
/// </summary>
public interface IChatProvider
{
    /// <summary>As configuration names it: <c>openai</c>, <c>anthropic</c>, <c>bedrock</c>, <c>local</c>, <c>simulated</c>, or a server's own name.</summary>
    string Name { get; }

    /// <summary>The dialect of its frames' bytes; <see cref="Dialect.Native"/> where it runs in this process, <see cref="Dialect.Converse"/> where no client speaks it: frames carry updates only.</summary>
    Dialect Dialect { get; }

    /// <summary>
    /// It goes on working, and bills all of it, where a call is left: then the call is heard to its end for the counts that come with it,
    /// whoever is gone.
    /// </summary>
    bool BillsOnWhenLeft => false;

    /// <summary>The first thing in <paramref name="call"/> that cannot cross to this provider, by name; null where all can. Makes no call.</summary>
    Refusal? Objects(ProviderCall call);

    /// <summary>
    /// Frames of the answer, several for a stream, one for a whole answer. The upstream call starts with the first <c>MoveNextAsync</c>
    /// and ends when the enumerator is disposed. The last frame has <see cref="ProviderFrame.Last"/>; an end without one never happens:
    /// it is thrown as <see cref="ProviderFault.CutShort"/>.
    /// </summary>
    IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, CancellationToken ct);

    /// <summary>Vectors in the order of the inputs.</summary>
    Task<EmbedAnswer> EmbedAsync(EmbedCall call, CancellationToken ct);

    /// <summary>Input tokens <paramref name="call"/> would have: exact where the provider counts or the tokenizer is known, else an estimate.</summary>
    Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct);
}

/// <param name="Exact">False for an estimate.</param>
public readonly record struct TokenCount(long Tokens, bool Exact);

/// <summary>One attempt of a call at one target.</summary>
/// <param name="Model">The provider's own name of the model.</param>
/// <param name="MaxOutputTokens">The cap to send: the client's, lowered to the target's; null for the provider's default.</param>
/// <param name="Attempt">Sent upstream as <c>x-client-request-id</c>, so that both sides can name the call.</param>
public sealed record ProviderCall(ChatCall Call, string Model, int? MaxOutputTokens, AttemptId Attempt)
{
    /// <summary>Null for the provider's own.</summary>
    public CallTimeouts? Timeouts { get; init; }
}

/// <param name="Inputs">1 to 2,048 texts, none empty.</param>
/// <param name="Dimensions">Length of the vectors, null for the model's own.</param>
public sealed record EmbedCall(string Model, IReadOnlyList<string> Inputs, int? Dimensions, string? EndUser, AttemptId Attempt)
{
    /// <summary>Null for the provider's own.</summary>
    public CallTimeouts? Timeouts { get; init; }
}

/// <summary>How long a call may take, piece by piece. A provider that runs in this process heeds none of them.</summary>
/// <param name="Connect">Longest wait for a connection.</param>
/// <param name="FirstByte">Longest silence before the first byte of a stream. A whole answer has its first byte when it is done: <paramref name="Idle"/> counts for it.</param>
/// <param name="Idle">Longest silence between two bytes.</param>
/// <param name="Total">From the call to the last byte.</param>
public sealed record CallTimeouts(TimeSpan Connect, TimeSpan FirstByte, TimeSpan Idle, TimeSpan Total);

/// <param name="Vectors">One per input, in order.</param>
/// <param name="Model">The model that answered, as the provider names it.</param>
public sealed record EmbedAnswer(IReadOnlyList<float[]> Vectors, string Model, TokenCounts Tokens, bool Estimated);

/// <summary>What went wrong at a provider.</summary>
public enum ProviderFault
{
    /// <summary>It refused the request itself (400, 413, 422): the client's to mend.</summary>
    Rejected,

    /// <summary>It does not know the model (404).</summary>
    ModelUnknown,

    /// <summary>It refused our credentials (401, 403): the operator's to mend.</summary>
    Unauthorized,

    /// <summary>Rate limit that passes (429).</summary>
    Limited,

    /// <summary>Quota or billing limit that does not pass by waiting (402, 429 insufficient_quota).</summary>
    QuotaSpent,

    /// <summary>Overloaded (529, 503).</summary>
    Overloaded,

    /// <summary>Any other failure of its own (5xx), or an answer that is not what its protocol says.</summary>
    Broken,

    /// <summary>No connection could be made; nothing was sent.</summary>
    Unreachable,

    TimedOut,

    /// <summary>The stream ended before the answer did.</summary>
    CutShort,
}

/// <summary>
/// A call failed at the provider. <paramref name="message"/> is the provider's own, fit to show a client: bounded, and without keys.
/// </summary>
/// <param name="status">The provider's HTTP status, null where there was none.</param>
/// <param name="field">The request field the provider names.</param>
public sealed class ProviderException(ProviderFault fault, string message, int? status = null, string? code = null, string? field = null, TimeSpan? retryAfter = null, Exception? inner = null)
    : Exception(message, inner)
{
    public ProviderFault Fault { get; } = fault;
    public int? Status { get; } = status;
    public string? Code { get; } = code;
    public string? Field { get; } = field;
    public TimeSpan? RetryAfter { get; } = retryAfter;
}

/// <summary>A provider as configuration gives it.</summary>
/// <param name="Name">What targets are prefixed with.</param>
/// <param name="Kind"><c>openai</c> (and every compatible server), <c>anthropic</c>, <c>bedrock</c>, <c>sagemaker</c>, <c>local</c>, <c>simulated</c>.</param>
/// <param name="BaseUrl">Such as <c>https://api.openai.com/v1</c>; null for the vendor's own, and for kinds that run in this process.</param>
/// <param name="ApiKey">Null where the server needs none.</param>
public sealed record ProviderSettings(string Name, string Kind, Uri? BaseUrl, string? ApiKey)
{
    /// <summary>Longest wait for a connection.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest silence before the first byte of a stream; default 2 min.</summary>
    public TimeSpan FirstByteTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Longest silence between two bytes, and before a whole answer; default 5 min.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>From the call to the last byte; default 30 min.</summary>
    public TimeSpan TotalTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>What counts for a call that brings none of its own.</summary>
    public CallTimeouts Timeouts => new(ConnectTimeout, FirstByteTimeout, IdleTimeout, TotalTimeout);
}

/// <summary>Makes providers of one kind. Registered once per kind; called again when configuration changes.</summary>
public interface IProviderKind
{
    string Kind { get; }

    /// <summary>False where there is no key that a caller could bring or configuration could hold.</summary>
    bool TakesKey => true;

    /// <summary>Throws <see cref="RefusedException"/> for a key where it takes none.</summary>
    IChatProvider Create(ProviderSettings settings);
}
