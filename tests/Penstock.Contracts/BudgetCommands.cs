using FsCheck;
using FsCheck.Fluent;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Contracts;

/// <summary>One thing that happens to a store. Numbers choose among a few names, so that attempts and budgets meet.</summary>
internal abstract record BudgetCommand
{
    /// <param name="Least">Percent of what is wanted.</param>
    /// <param name="Key">One of two keys; a key has a project of its own.</param>
    /// <param name="Implied">The limit that the key carries itself; none where null.</param>
    /// <param name="Run">0 for none, 1 for a run, 2 for one that it started.</param>
    public sealed record Reserve(int Attempt, int Key, int User, int Model, int Wanted, int Least, int? Implied, int Run = 0) : BudgetCommand;

    /// <param name="Cost">Percent of what is wanted at the most: past 100 it was priced dearer than it was reserved.</param>
    public sealed record Settle(int Attempt, int Key, int Cost, int Run = 0) : BudgetCommand;

    public sealed record Expire : BudgetCommand;

    public sealed record Put(int Budget, int Limit, bool Hard, int Zone) : BudgetCommand;

    public sealed record Remove(int Budget) : BudgetCommand;

    /// <summary>The clock goes on, or back; a day and more turns periods over.</summary>
    public sealed record Move(int Minutes) : BudgetCommand;
}

/// <summary>Commands by chance, and the requests, rows and budgets they stand for.</summary>
internal static class BudgetCommands
{
    public const int MostNanos = 1000;
    private const int Attempts = 12;

    private static readonly string?[] Runs = [null, "r1", "r1/r2"];

    public static readonly DateTimeOffset Start = new(2026, 11, 29, 21, 30, 0, TimeSpan.Zero);
    public static readonly TimeSpan HoldFor = TimeSpan.FromMinutes(60);

    private static readonly string[] Zones = ["UTC", "Europe/Zurich", "Asia/Tokyo", "America/New_York"];

    private static readonly (BudgetScopeKind Kind, string Name, BudgetPeriod Period)[] Shapes =
    [
        (BudgetScopeKind.Tenant, "", BudgetPeriod.Month), (BudgetScopeKind.Tenant, "", BudgetPeriod.Total), (BudgetScopeKind.Tenant, "", BudgetPeriod.Day),
        (BudgetScopeKind.Project, "p0", BudgetPeriod.Week), (BudgetScopeKind.Key, "k0", BudgetPeriod.Month), (BudgetScopeKind.Key, "k1", BudgetPeriod.Day),
        (BudgetScopeKind.User, "u1", BudgetPeriod.Day), (BudgetScopeKind.Model, "m0", BudgetPeriod.Month),
    ];

    public static Arbitrary<BudgetCommand[]> Any => Arb.From(
        Gen.Frequency(
            (10, Reserves), (8, Settles), (2, Gen.Constant<BudgetCommand>(new BudgetCommand.Expire())), (4, Puts),
            (1, Number(Shapes.Length).Select(budget => (BudgetCommand)new BudgetCommand.Remove(budget))), (3, Moves)).ArrayOf(),
        Shorter);

    private static Gen<BudgetCommand> Reserves =>
        from attempt in Number(Attempts)
        from key in Number(2)
        from user in Number(2)
        from model in Number(2)
        from wanted in Gen.Choose(1, MostNanos)
        from least in Gen.Elements(1, 50, 100)
        from run in Number(Runs.Length)
        // A key carries its budget for life: the first of the two has one, and the other none.
        select (BudgetCommand)new BudgetCommand.Reserve(attempt, key, user, model, wanted, least, key == 0 ? 2 * MostNanos : null, run);

    private static Gen<BudgetCommand> Settles =>
        from attempt in Number(Attempts)
        from key in Number(2)
        from cost in Gen.OneOf(Gen.Constant(0), Gen.Choose(0, 100), Gen.Choose(100, 200))
        from run in Number(Runs.Length)
        select (BudgetCommand)new BudgetCommand.Settle(attempt, key, cost, run);

    private static Gen<BudgetCommand> Puts =>
        from budget in Number(Shapes.Length)
        from limit in Gen.Choose(0, 4 * MostNanos)
        from hard in Gen.Elements(true, true, true, false)
        from zone in Gen.Frequency((3, Gen.Constant(0)), (2, Number(Zones.Length)))
        select (BudgetCommand)new BudgetCommand.Put(budget, limit, hard, zone);

    private static Gen<BudgetCommand> Moves => Gen.OneOf(Gen.Choose(-180, 180), Gen.Choose(30, 120), Gen.Choose(-3000, 3000)).Select(minutes => (BudgetCommand)new BudgetCommand.Move(minutes));

    /// <summary>Every list that is left when a stretch of it is taken out, the longest stretches first.</summary>
    public static IEnumerable<T[]> Shorter<T>(T[] all)
    {
        for (var size = all.Length / 2; size >= 1; size /= 2)
        {
            for (var from = 0; from + size <= all.Length; from += size) yield return [.. all[..from], .. all[(from + size)..]];
        }
    }

    public static Budget Budget(TenantId tenant, BudgetCommand.Put put)
    {
        var (scope, period) = Shape(tenant, put.Budget);
        return new Budget { Tenant = tenant, Scope = scope, Period = period, Limit = new Money(put.Limit), Hard = put.Hard, TimeZone = Zones[put.Zone] };
    }

    public static (BudgetScope Scope, BudgetPeriod Period) Shape(TenantId tenant, int budget)
    {
        var (kind, name, period) = Shapes[budget];
        return (new BudgetScope(kind, kind == BudgetScopeKind.Tenant ? tenant.Value : name), period);
    }

    public static HoldRequest Request(TenantId tenant, BudgetCommand.Reserve reserve, DateTimeOffset at)
    {
        var row = Row(tenant, $"a{reserve.Attempt}", reserve.Key, reserve.User, reserve.Model, at) with { Run = Runs[reserve.Run] };
        var envelopes = Envelopes(tenant).Take(reserve.Run);
        return new HoldRequest
        {
            Unsettled = row,
            Implied = reserve.Implied is { } limit ? [Penstock.Budgets.Budget.OfKey(tenant, row.Key, new Money(limit)), .. envelopes] : [.. envelopes],
            Wanted = new Money(reserve.Wanted),
            Least = new Money(Math.Max(1, reserve.Wanted * reserve.Least / 100)),
            ExpiresAt = at + HoldFor,
        };
    }

    public static string? Path(int run) => Runs[run];

    /// <summary>From the outermost run; the inner one may spend less.</summary>
    public static Budget[] Envelopes(TenantId tenant) =>
        [Penstock.Budgets.Budget.OfRun(tenant, new RunId("r1"), new Money(4 * MostNanos)), Penstock.Budgets.Budget.OfRun(tenant, new RunId("r2"), new Money(2 * MostNanos))];

    public static LedgerRow Row(TenantId tenant, string attempt, int key, int user, int model, DateTimeOffset at) => new()
    {
        Tenant = tenant,
        Attempt = new AttemptId(attempt),
        Request = new RequestId("r"),
        Project = new ProjectId($"p{key}"),
        Key = new KeyId($"k{key}"),
        At = at,
        Operation = "chat",
        Route = "/v1/complete",
        Provider = "openai",
        RequestedModel = $"m{model}",
        Model = $"m{model}",
        Tokens = TokenCounts.Of(1, 1),
        Cost = Money.Zero,
        PriceVersion = "when reserved",
        Outcome = AttemptOutcome.Completed,
        LatencyMs = 1,
        EndUser = user == 0 ? null : $"u{user}",
    };

    private static Gen<int> Number(int end) => Gen.Choose(0, end - 1);
}
