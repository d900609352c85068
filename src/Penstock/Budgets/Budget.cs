using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Budgets;

/// <summary>What a budget is over. The numbers are stored.</summary>
public enum BudgetScopeKind
{
    Tenant = 0,
    Project = 1,
    Key = 2,

    /// <summary>The end user as the client names them.</summary>
    User = 3,

    /// <summary>The model as its provider names it.</summary>
    Model = 4,

    /// <summary>An agent run and all that it starts. Its budget is its envelope: implied by each of its calls from the first on, and never stored.</summary>
    Run = 5,
}

/// <param name="Name">The project, key, user, model or run; the tenant itself for <see cref="BudgetScopeKind.Tenant"/>.</param>
public readonly record struct BudgetScope(BudgetScopeKind Kind, string Name)
{
    /// <summary>What an attempt is under: its tenant, project, key, and end user, model and runs where it has them.</summary>
    public static IReadOnlyList<BudgetScope> Over(LedgerRow row)
    {
        var scopes = new List<BudgetScope>(5)
        {
            new(BudgetScopeKind.Tenant, row.Tenant.Value),
            new(BudgetScopeKind.Project, row.Project.Value),
            new(BudgetScopeKind.Key, row.Key.Value),
        };
        if (row.EndUser is { Length: > 0 } user) scopes.Add(new(BudgetScopeKind.User, user));
        if (row.Model.Length > 0) scopes.Add(new(BudgetScopeKind.Model, row.Model));
        scopes.AddRange(Runs(row.Run));
        return scopes;
    }

    /// <summary>Each run of a <see cref="LedgerRow.Run"/>.</summary>
    public static IEnumerable<BudgetScope> Runs(string? path) =>
        path is { Length: > 0 } ? path.Split('/').Select(run => new BudgetScope(BudgetScopeKind.Run, run)) : [];

    public override string ToString() => $"{Kind.ToString().ToLowerInvariant()} '{Name}'";
}

/// <summary>Calendar periods of the budget's time zone; weeks begin on Monday. The numbers are stored.</summary>
public enum BudgetPeriod
{
    Day = 0,
    Week = 1,
    Month = 2,

    /// <summary>Never turns over.</summary>
    Total = 3,
}

/// <summary>From <paramref name="Start"/> to before <paramref name="End"/>, UTC; no end for <see cref="BudgetPeriod.Total"/>.</summary>
public readonly record struct BudgetWindow(DateTimeOffset Start, DateTimeOffset? End);

/// <summary>A cap on what a scope may spend in a period. There is at most one per scope and period.</summary>
public sealed record Budget
{
    /// <summary>Percent of the limit at which an alert is raised, once each in a period.</summary>
    public static readonly IReadOnlyList<int> Thresholds = [50, 80, 100];

    /// <summary>The budget that a key carries itself: hard, by calendar month, UTC.</summary>
    public static Budget OfKey(TenantId tenant, KeyId key, Money limit) =>
        new() { Tenant = tenant, Scope = new BudgetScope(BudgetScopeKind.Key, key.Value), Period = BudgetPeriod.Month, Limit = limit };

    /// <summary>What a run may spend: hard, and in all.</summary>
    public static Budget OfRun(TenantId tenant, RunId run, Money limit) =>
        new() { Tenant = tenant, Scope = new BudgetScope(BudgetScopeKind.Run, run.Value), Period = BudgetPeriod.Total, Limit = limit };

    public required TenantId Tenant { get; init; }
    public required BudgetScope Scope { get; init; }
    public required BudgetPeriod Period { get; init; }
    public required Money Limit { get; init; }

    /// <summary>A hard budget refuses what would pass it; a soft one only says so.</summary>
    public bool Hard { get; init; } = true;

    /// <summary>IANA name of the zone whose midnight turns the period over.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>Those of <see cref="Thresholds"/> that are told of. A run has its own state to say how it ended, and would be one of thousands.</summary>
    public IReadOnlyList<int> Alerting => Scope.Kind == BudgetScopeKind.Run ? [] : Thresholds;

    /// <summary>
    /// The period that <paramref name="at"/> falls in. A clock that goes backwards books in the earlier period, whose balance is still there:
    /// it gains nobody a fresh one.
    /// </summary>
    public BudgetWindow WindowAt(DateTimeOffset at)
    {
        if (Period == BudgetPeriod.Total) return new BudgetWindow(DateTimeOffset.UnixEpoch, null);
        var zone = TimeZoneInfo.FindSystemTimeZoneById(TimeZone);
        var day = TimeZoneInfo.ConvertTime(at, zone).Date;
        var first = Period switch
        {
            BudgetPeriod.Day => day,
            BudgetPeriod.Week => day.AddDays(-(((int)day.DayOfWeek + 6) % 7)),
            _ => new DateTime(day.Year, day.Month, 1),
        };
        var next = Period switch
        {
            BudgetPeriod.Day => first.AddDays(1),
            BudgetPeriod.Week => first.AddDays(7),
            _ => first.AddMonths(1),
        };
        return new BudgetWindow(Midnight(first, zone), Midnight(next, zone));
    }

    /// <summary>The day's first moment. Where clocks spring over midnight there is none at 00:00, and the day begins when they land.</summary>
    private static DateTimeOffset Midnight(DateTime day, TimeZoneInfo zone)
    {
        while (zone.IsInvalidTime(day)) day = day.AddMinutes(1);
        // Where clocks fall back to midnight, the day begins at the first of the two.
        var offset = zone.IsAmbiguousTime(day) ? zone.GetAmbiguousTimeOffsets(day).Max() : zone.GetUtcOffset(day);
        return new DateTimeOffset(day, offset).ToUniversalTime();
    }
}

/// <summary>Where a budget stands in one of its periods.</summary>
/// <param name="Held">Reserved by calls that are running.</param>
public sealed record BudgetStatus(Budget Budget, BudgetWindow Window, Money Spent, Money Held)
{
    /// <summary>What may still be reserved; below zero where a limit was lowered under running calls, or a provider billed past its ceiling.</summary>
    public Money Remaining => Budget.Limit - Spent - Held;
}
