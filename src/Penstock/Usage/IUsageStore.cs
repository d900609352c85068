using Penstock.Kernel;

namespace Penstock.Usage;

/// <summary>
/// The ledger's reading side; attempts are booked through <c>IBudgetStore</c>, whose transaction writes the rollups too. Reads never cross a tenant.
/// Sums come from 15-minute, daily and monthly rollups and cost the same whatever the number of attempts; only what of a query's range is no
/// whole quarter of an hour, and a filter or grouping that no rollup knows, reads attempts.
/// </summary>
public interface IUsageStore
{
    /// <summary>Exact sums of what was booked; empty groups and zero totals where nothing matches.</summary>
    Task<UsageReport> SumAsync(TenantId tenant, UsageQuery query, CancellationToken ct);

    /// <summary>What was booked, newest first, at most <paramref name="limit"/>. A correction of an attempt stands beside it, in a row with the difference.</summary>
    Task<IReadOnlyList<LedgerRow>> ListAsync(TenantId tenant, UsageQuery query, int limit, CancellationToken ct);

    /// <summary>
    /// What each conversation that began in <c>From ≤ day &lt; To</c> (UTC days; a partial day counts whole) cost in all so far, as a histogram in nano-dollars.
    /// Costs the same whatever the number of attempts.
    /// </summary>
    Task<LogHistogram> ConversationCostsAsync(TenantId tenant, DateTimeOffset from, DateTimeOffset to, CancellationToken ct);

    /// <summary>
    /// Drops attempts that began before <paramref name="before"/>, of every tenant, a bounded number at a time; never a rollup, and never an attempt that
    /// still holds money. Sums over whole quarters of an hour stay what they were. Returns how many entries of the ledger; zero where none is left.
    /// </summary>
    Task<int> DropAsync(DateTimeOffset before, CancellationToken ct);
}

/// <summary>What to sum: rows with <c>From ≤ At &lt; To</c> that match every filter given. All three times are cut to the millisecond.</summary>
public sealed record UsageQuery
{
    public DateTimeOffset From { get; init; } = DateTimeOffset.UnixEpoch;
    public DateTimeOffset To { get; init; } = DateTimeOffset.MaxValue;
    public KeyId? Key { get; init; }
    public ProjectId? Project { get; init; }
    public string? Model { get; init; }
    public string? Provider { get; init; }
    public string? EndUser { get; init; }
    public string? Conversation { get; init; }

    /// <summary>Every attempt of one request. No rollup knows it: a range around its time makes the search short.</summary>
    public RequestId? Request { get; init; }

    public UsageGrouping GroupBy { get; init; } = UsageGrouping.None;
}

public enum UsageGrouping
{
    None,
    Day,
    Model,
    Provider,
    Key,
    Project,
    User,
    Conversation,
}

public sealed record UsageReport(UsageSum Total, IReadOnlyList<UsageGroup> Groups)
{
    /// <summary>Of the attempts in <see cref="Total"/> that were settled, except those answered from the cache: what nobody came back to say says nothing here.</summary>
    public UsageSpread Spread { get; init; } = new();
}

/// <summary>How attempts are spread. Latency and first token in milliseconds, cost in nano-dollars.</summary>
public sealed record UsageSpread
{
    public LogHistogram Latency { get; init; } = new();

    /// <summary>Only attempts that had a first token.</summary>
    public LogHistogram FirstToken { get; init; } = new();

    public LogHistogram Cost { get; init; } = new();

    /// <summary>Counts one settled attempt; nothing where it was answered from the cache.</summary>
    public void Add(AttemptOutcome outcome, int latencyMs, int? firstTokenMs, Money cost)
    {
        if (outcome == AttemptOutcome.Cached) return;
        Latency.Add(latencyMs);
        if (firstTokenMs is { } first) FirstToken.Add(first);
        Cost.Add(cost.NanoDollars);
    }

    public void Add(UsageSpread other)
    {
        Latency.Add(other.Latency);
        FirstToken.Add(other.FirstToken);
        Cost.Add(other.Cost);
    }
}

/// <param name="Name">The day as <c>2026-11-30</c> (UTC), or the model, key, project, user or conversation; empty where rows have none.</param>
public sealed record UsageGroup(string Name, UsageSum Sum);

/// <param name="Attempts">A correction counts as none.</param>
/// <param name="Failed">Attempts whose answer did not reach its end though the client was there: <see cref="AttemptOutcome.ProviderFailed"/>, <see cref="AttemptOutcome.CutShort"/>, <see cref="AttemptOutcome.Drained"/>; or of which nobody knows: <see cref="AttemptOutcome.Unknown"/>, until a correction says how it ended.</param>
public sealed record UsageSum(long Attempts, long Failed, TokenCounts Tokens, Money Cost)
{
    public static readonly UsageSum Nothing = new(0, 0, default, Money.Zero);

    /// <summary>Attempts answered from the cache, among <see cref="Attempts"/>.</summary>
    public long CacheHits { get; init; }

    /// <summary>What cached answers would have cost.</summary>
    public Money Saved { get; init; }

    /// <summary>Attempts paid with callers' own provider keys, among <see cref="Attempts"/>.</summary>
    public long OwnKeyAttempts { get; init; }

    /// <summary>What was billed to callers' own provider keys, at list price; not in <see cref="Cost"/>.</summary>
    public Money OwnKeyCost { get; init; }

    /// <summary>How one row of the ledger counts. A correction is no attempt of its own, and takes the failure back that nobody knew better of.</summary>
    public static UsageSum Of(AttemptOutcome outcome, TokenCounts tokens, Money cost, Money avoided, bool ownKey, bool correction)
    {
        var attempt = correction ? 0 : 1;
        var failed = outcome is AttemptOutcome.ProviderFailed or AttemptOutcome.CutShort or AttemptOutcome.Drained or AttemptOutcome.Unknown ? 1 : 0;
        return new UsageSum(attempt, correction ? failed - 1 : failed, tokens, cost)
        {
            CacheHits = outcome == AttemptOutcome.Cached ? attempt : 0,
            Saved = ownKey ? Money.Zero : avoided,
            OwnKeyAttempts = ownKey ? attempt : 0,
            OwnKeyCost = ownKey ? avoided : Money.Zero,
        };
    }

    public static UsageSum operator +(UsageSum left, UsageSum right) => checked(new UsageSum(
        left.Attempts + right.Attempts,
        left.Failed + right.Failed,
        left.Tokens + right.Tokens,
        left.Cost + right.Cost)
    {
        CacheHits = left.CacheHits + right.CacheHits,
        Saved = left.Saved + right.Saved,
        OwnKeyAttempts = left.OwnKeyAttempts + right.OwnKeyAttempts,
        OwnKeyCost = left.OwnKeyCost + right.OwnKeyCost,
    });
}
