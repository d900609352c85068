using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>By what a rollup is kept. The numbers are stored.</summary>
internal enum Facet
{
    /// <summary>Project, key, model and provider.</summary>
    Combination = 0,

    EndUser = 1,

    /// <summary>Nothing: the tenant whole, so that what asks for no part need not add its parts up.</summary>
    Tenant = 2,
}

/// <param name="At">First moment of the stretch, in Unix milliseconds.</param>
internal readonly record struct RollupKey(TenantId Tenant, Facet Facet, Grain Grain, long At, string Project, string Key, string Model, string Provider, string EndUser)
{
    /// <summary>Every rollup by quarter of an hour that the attempt counts in.</summary>
    public static RollupKey[] Of(LedgerRow row)
    {
        var at = Tiles.Floor(row.At.ToUnixTimeMilliseconds(), Grain.Quarter);
        return
        [
            new RollupKey(row.Tenant, Facet.Combination, Grain.Quarter, at, row.Project.Value, row.Key.Value, row.Model, row.Provider, ""),
            new RollupKey(row.Tenant, Facet.EndUser, Grain.Quarter, at, "", "", "", "", row.EndUser ?? ""),
            new RollupKey(row.Tenant, Facet.Tenant, Grain.Quarter, at, "", "", "", "", ""),
        ];
    }

    /// <summary>Whether the rollup is one of those that the scope's sum is made of. A run's is made of none.</summary>
    public bool IsOf(BudgetScope scope) => scope.Kind switch
    {
        BudgetScopeKind.User => Facet == Facet.EndUser && EndUser == scope.Name,
        BudgetScopeKind.Project => Facet == Facet.Combination && Project == scope.Name,
        BudgetScopeKind.Key => Facet == Facet.Combination && Key == scope.Name,
        BudgetScopeKind.Model => Facet == Facet.Combination && Model == scope.Name,
        BudgetScopeKind.Run => false,
        _ => Facet == Facet.Tenant,
    };

    public RollupKey Coarser(Grain grain) => this with { Grain = grain, At = Tiles.Floor(At, grain) };
}

/// <summary>What entries of one rollup add up to.</summary>
internal sealed class Rollup
{
    public UsageSum Sum { get; private set; } = UsageSum.Nothing;

    public UsageSpread Spread { get; } = new();

    public void Add(LedgerEntryKind kind, LedgerRow row)
    {
        Sum += UsageSum.Of(row.Outcome, row.Tokens, row.Cost, row.Avoided, row.OwnKey, kind == LedgerEntryKind.Adjust);
        if (kind is LedgerEntryKind.Settle or LedgerEntryKind.Release) Spread.Add(row.Outcome, row.LatencyMs, row.FirstTokenMs, row.Cost);
    }

    public void Add(UsageSum sum) => Sum += sum;

    public void Add(Rollup other)
    {
        Sum += other.Sum;
        Spread.Add(other.Spread);
    }

    public bool SameAs(Rollup other) => Sum == other.Sum
        && Same(Spread.Latency, other.Spread.Latency) && Same(Spread.FirstToken, other.Spread.FirstToken) && Same(Spread.Cost, other.Spread.Cost);

    private static bool Same(LogHistogram left, LogHistogram right) => left.Buckets.SequenceEqual(right.Buckets);
}
