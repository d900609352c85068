using System.Text;

namespace Penstock.Upstream;

/// <summary>How a call to the stand-in ended.</summary>
public enum SeenOutcome
{
    /// <summary>Not over yet.</summary>
    Open,

    /// <summary>A whole answer was sent.</summary>
    Answered,

    /// <summary>The request was at fault: key, version, model, fields.</summary>
    Refused,

    /// <summary>A marker made it fail: an error status, an error or nonsense in the stream.</summary>
    Failed,

    /// <summary>A marker ended the answer early.</summary>
    Cut,

    /// <summary>The client left before the answer ended.</summary>
    Aborted,
}

/// <summary>What the vendor would bill: six disjoint counts.</summary>
public readonly record struct BilledTokens(long Input, long CacheRead, long CacheWrite5m, long CacheWrite1h, long Output, long Reasoning)
{
    public long TotalInput => Input + CacheRead + CacheWrite5m + CacheWrite1h;

    public long TotalOutput => Output + Reasoning;
}

/// <summary>One call as the stand-in received it, and what became of it. A snapshot: later changes make a new one.</summary>
public sealed record SeenCall
{
    /// <summary>Counts the calls from 1.</summary>
    public required int Number { get; init; }

    public required string Method { get; init; }

    public required string Path { get; init; }

    /// <summary>Names in lower case; values of a repeated header joined by a comma.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    public required ReadOnlyMemory<byte> Body { get; init; }

    public required DateTimeOffset At { get; init; }

    public string BodyText => Encoding.UTF8.GetString(Body.Span);

    /// <summary>The header <c>x-client-request-id</c>.</summary>
    public string? ClientRequestId => Headers.GetValueOrDefault("x-client-request-id");

    public string? Model { get; init; }

    public bool Streamed { get; init; }

    public SeenOutcome Outcome { get; init; }

    /// <summary>HTTP status sent; 0 while none was.</summary>
    public int Status { get; init; }

    /// <summary>For an answer that ended early: its input, and the output sent so far.</summary>
    public BilledTokens Billed { get; init; }

    /// <summary>True where <see cref="Billed"/> was told to the client in full; false for answers without usage or cut before it.</summary>
    public bool UsageSent { get; init; }

    public DateTimeOffset? FirstContentAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>When the client was seen to be gone, null where it stayed to the end.</summary>
    public DateTimeOffset? AbortedAt { get; init; }
}
