using Penstock.Kernel;

namespace Penstock.Usage;

/// <summary>
/// The ledger. <see cref="AppendAsync"/> completes when the row would survive <c>kill -9</c> and a power cut;
/// a second append of the same (tenant, attempt) changes nothing. Reads never cross a tenant.
/// </summary>
public interface IUsageStore
{
    Task AppendAsync(LedgerRow row, CancellationToken ct);

    /// <summary>Sums what the ledger holds; empty groups and zero totals where nothing matches.</summary>
    Task<UsageReport> SumAsync(TenantId tenant, UsageQuery query, CancellationToken ct);

    /// <summary>Newest first, at most <paramref name="limit"/>.</summary>
    Task<IReadOnlyList<LedgerRow>> ListAsync(TenantId tenant, UsageQuery query, int limit, CancellationToken ct);
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

public sealed record UsageReport(UsageSum Total, IReadOnlyList<UsageGroup> Groups);

/// <param name="Name">The day as <c>2026-11-30</c> (UTC), or the model, key, project, user or conversation; empty where rows have none.</param>
public sealed record UsageGroup(string Name, UsageSum Sum);

/// <param name="Failed">Attempts whose answer did not reach its end though the client was there: <see cref="AttemptOutcome.ProviderFailed"/>, <see cref="AttemptOutcome.CutShort"/>, <see cref="AttemptOutcome.Drained"/>; or of which nobody knows: <see cref="AttemptOutcome.Unknown"/>.</param>
public sealed record UsageSum(long Attempts, long Failed, TokenCounts Tokens, Money Cost)
{
    public static readonly UsageSum Nothing = new(0, 0, default, Money.Zero);
}
