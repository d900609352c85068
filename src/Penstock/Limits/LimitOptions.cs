using System.Collections.Frozen;

namespace Penstock.Limits;

/// <summary>How much one thing may take; null where nothing is set.</summary>
internal sealed record Allowance
{
    /// <summary>Requests a second that refill the bucket.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>Size of the bucket in requests.</summary>
    public int? Burst { get; init; }

    /// <summary>Tokens a minute, read and written, cached ones included; as many at once.</summary>
    public int? TokensPerMinute { get; init; }

    /// <summary>Calls in flight at once.</summary>
    public int? Concurrency { get; init; }

    /// <summary>This one, and what it leaves open as <paramref name="other"/> has it.</summary>
    public Allowance Or(Allowance other) => new()
    {
        RequestsPerSecond = RequestsPerSecond ?? other.RequestsPerSecond,
        Burst = Burst ?? other.Burst,
        TokensPerMinute = TokensPerMinute ?? other.TokensPerMinute,
        Concurrency = Concurrency ?? other.Concurrency,
    };
}

/// <summary>The section <c>limits</c>.</summary>
internal sealed record LimitOptions
{
    /// <summary>Of a key that sets none of its own; default 50 requests a second, 200 at once.</summary>
    public Allowance EachKey { get; init; } = new() { RequestsPerSecond = 50, Burst = 200 };

    /// <summary>By id; over what the key itself sets.</summary>
    public IReadOnlyDictionary<string, Allowance> Keys { get; init; } = FrozenDictionary<string, Allowance>.Empty;

    /// <summary>By <c>tenant/project</c>, or by the project's name alone in whichever tenant.</summary>
    public IReadOnlyDictionary<string, Allowance> Projects { get; init; } = FrozenDictionary<string, Allowance>.Empty;

    public IReadOnlyDictionary<string, Allowance> Tenants { get; init; } = FrozenDictionary<string, Allowance>.Empty;

    /// <summary>By pattern, such as <c>/v1/embeddings</c>; all calls of one tenant together.</summary>
    public IReadOnlyDictionary<string, Allowance> Routes { get; init; } = FrozenDictionary<string, Allowance>.Empty;

    /// <summary>After how long the slot of a call is free though nobody returned it, in minutes; default 15. A longer call no longer counts.</summary>
    public TimeSpan LeaseFor { get; init; } = TimeSpan.FromMinutes(15);
}
