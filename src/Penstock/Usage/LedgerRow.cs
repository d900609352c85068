using Penstock.Kernel;

namespace Penstock.Usage;

/// <summary>How one call to a provider ended.</summary>
public enum AttemptOutcome
{
    /// <summary>The provider's answer was complete.</summary>
    Completed,

    /// <summary>The client left; the provider was cancelled and what it had sent was booked.</summary>
    ClientGone,

    /// <summary>The provider refused, could not be reached, or sent an error in its stream.</summary>
    ProviderFailed,

    /// <summary>The provider's stream ended before its answer did.</summary>
    CutShort,

    /// <summary>We cut the stream because the server was stopping.</summary>
    Drained,

    /// <summary>Nobody came back to say: the process died, and the call is booked at its ceiling until it is reconciled.</summary>
    Unknown,

    /// <summary>The answer came from the cache, or from an identical call in flight: no provider was called for it, and it costs nothing.</summary>
    Cached,
}

/// <summary>One attempt, booked once. <see cref="Attempt"/> is unique within the tenant.</summary>
public sealed record LedgerRow
{
    public required TenantId Tenant { get; init; }
    public required AttemptId Attempt { get; init; }
    public required RequestId Request { get; init; }
    public required ProjectId Project { get; init; }
    public required KeyId Key { get; init; }

    /// <summary>
    /// When the attempt began, UTC. It decides the period of every budget and the window of every rollup that the attempt counts in, so that the two
    /// agree; an attempt that holds money keeps the time of its reservation.
    /// </summary>
    public required DateTimeOffset At { get; init; }

    /// <summary><c>chat</c>, <c>embeddings</c> (OpenTelemetry's <c>gen_ai.operation.name</c>) or <c>tool</c>.</summary>
    public required string Operation { get; init; }

    public required string Route { get; init; }

    public required string Provider { get; init; }

    /// <summary>As the client named it: a model, alias or tier.</summary>
    public required string RequestedModel { get; init; }

    /// <summary>As the provider names it.</summary>
    public required string Model { get; init; }

    public required TokenCounts Tokens { get; init; }

    /// <summary>What it counts on budgets.</summary>
    public required Money Cost { get; init; }

    /// <summary>
    /// What it would have cost at list price where that is not <see cref="Cost"/>: what a cached answer saved, or what was billed to the caller's own
    /// provider key (<see cref="OwnKey"/>). Zero for any other attempt.
    /// </summary>
    public Money Avoided { get; init; }

    /// <summary>Paid with the caller's own provider key; <see cref="Cost"/> is zero then.</summary>
    public bool OwnKey { get; init; }

    /// <summary>Version of the price table that <see cref="Cost"/> was computed from.</summary>
    public required string PriceVersion { get; init; }

    /// <summary>True where the provider did not report the counts and we counted ourselves.</summary>
    public bool Estimated { get; init; }

    public required AttemptOutcome Outcome { get; init; }

    /// <summary>The refusal's code where the attempt failed.</summary>
    public string? Error { get; init; }

    public required int LatencyMs { get; init; }

    /// <summary>Milliseconds to the first content; null where none came.</summary>
    public int? FirstTokenMs { get; init; }

    public bool Streamed { get; init; }

    public string? Conversation { get; init; }

    public string? EndUser { get; init; }

    /// <summary>The prompt template that made the prompt, and its version, such as <c>summarise@3f2a9c01</c>; null where the client wrote it.</summary>
    public string? Template { get; init; }

    /// <summary>Why this model of this provider, such as <c>fallback from openai/gpt-4.1: provider_rate_limited</c>; null where it is plainly what was asked for.</summary>
    public string? Decision { get; init; }

    /// <summary>Ids of the agent runs that it is of, from the outermost, <c>/</c> between them; null outside of runs.</summary>
    public string? Run { get; init; }
}

/// <summary>Outcomes as they stand in answers and logs.</summary>
public static class OutcomeNames
{
    public static string Of(AttemptOutcome outcome) => outcome switch
    {
        AttemptOutcome.Completed => "completed",
        AttemptOutcome.ClientGone => "client_gone",
        AttemptOutcome.ProviderFailed => "provider_failed",
        AttemptOutcome.CutShort => "cut_short",
        AttemptOutcome.Drained => "drained",
        AttemptOutcome.Unknown => "unknown",
        AttemptOutcome.Cached => "cached",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, null),
    };
}
