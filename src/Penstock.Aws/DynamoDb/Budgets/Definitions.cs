using System.Collections.Concurrent;
using System.Globalization;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>One budget in one of its periods: what a balance is of.</summary>
/// <param name="Epoch">Grows where the budget begins anew: made, removed, or moved to another time zone. Each epoch has balances of its own.</param>
internal sealed record Account(Budget Budget, BudgetWindow Window, long Epoch)
{
    /// <summary>When the call that asked for it began, where no stored budget did.</summary>
    public DateTimeOffset? At { get; init; }

    public string Id => string.Create(
        CultureInfo.InvariantCulture,
        $"{LedgerKeys.Tenant(Budget.Tenant)}#b#{(int)Budget.Scope.Kind}#{KeyPart.Of(Budget.Scope.Name)}#{(int)Budget.Period}#{Epoch}#{Window.Start.ToUnixTimeMilliseconds()}");
}

/// <summary>A stored budget, or what is left of one that was removed: its next epoch.</summary>
internal sealed record Definition(Budget Budget, long Epoch, bool Removed);

/// <summary>A tenant's budgets as they were at a version.</summary>
internal sealed class BudgetSet(long version, IReadOnlyList<Definition> all)
{
    private readonly ILookup<BudgetScope, Definition> _byScope = all.ToLookup(definition => definition.Budget.Scope);

    public long Version => version;

    public IEnumerable<Definition> Stored => all.Where(definition => !definition.Removed);

    public Definition? Find(BudgetScope scope, BudgetPeriod period) => _byScope[scope].FirstOrDefault(definition => definition.Budget.Period == period);

    /// <summary>Every stored budget over the scopes, and the implied ones that no stored one stands before.</summary>
    public List<Account> Over(IEnumerable<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at)
    {
        var accounts = new List<Account>();
        foreach (var definition in scopes.SelectMany(scope => _byScope[scope]).Where(definition => !definition.Removed)) accounts.Add(Of(definition, at));
        foreach (var budget in implied)
        {
            if (Find(budget.Scope, budget.Period) is { Removed: false }) continue;
            accounts.Add(OfImplied(budget, at));
        }

        return accounts;
    }

    /// <summary>The envelope of each run that the attempt is of. What it may spend is not known here.</summary>
    public IEnumerable<Account> RunsOver(LedgerRow row) =>
        BudgetScope.Runs(row.Run).Select(run => OfImplied(Budget.OfRun(row.Tenant, new RunId(run.Name), Money.Zero), row.At));

    /// <summary>What a key's own budget could be, in any period: nobody stores it, and its balance shows that there is one.</summary>
    public IEnumerable<Account> ImpliedOver(LedgerRow row)
    {
        var scope = new BudgetScope(BudgetScopeKind.Key, row.Key.Value);
        foreach (var period in Enum.GetValues<BudgetPeriod>())
        {
            if (Find(scope, period) is not { Removed: false }) yield return OfImplied(new Budget { Tenant = row.Tenant, Scope = scope, Period = period, Limit = Money.Zero }, row.At);
        }
    }

    public static Account Of(Definition definition, DateTimeOffset at) => new(definition.Budget, definition.Budget.WindowAt(at), definition.Epoch);

    private Account OfImplied(Budget budget, DateTimeOffset at) => new(budget, budget.WindowAt(at), Find(budget.Scope, budget.Period)?.Epoch ?? 0) { At = at };
}

/// <summary>
/// Budgets as they are set, in <c>ai-platform-keys</c>: <c>t#T#budgets / kind#name#period</c> holds one, and <c>t#T#v#shard / version</c> the number of
/// the set, sixteen times, because every reservation checks it. A node keeps the set in memory. The check fails on every shard from the moment a change
/// is written, so that a change is in force for the next reservation on every node.
/// </summary>
internal sealed class Definitions(DynamoDatabase database)
{
    private const int VersionShards = 16;

    private const string AllOfTenant = "#pk = :pk";
    private const string NoVersion = "attribute_not_exists(#version)";
    private const string SameVersion = "#version = :version";
    private const string SetVersion = "SET #version = :next";

    private readonly ConcurrentDictionary<TenantId, BudgetSet> _seen = new();

    public async ValueTask<BudgetSet> OfAsync(TenantId tenant, CancellationToken ct)
    {
        if (_seen.TryGetValue(tenant, out var seen)) return seen;
        // The version first: a change in between then fails the check, and the set is read again.
        var version = await VersionAsync(tenant, 0, ct);
        var items = await database.QueryAsync(database.Tables.Keys, AllOfTenant, new Item().Set(":pk", Partition(tenant)), ct);
        return _seen[tenant] = new BudgetSet(version, [.. items.Select(item => Read(tenant, item))]);
    }

    public void Forget(TenantId tenant) => _seen.TryRemove(tenant, out _);

    /// <summary>Whether the set is still in force.</summary>
    public async Task<bool> IsCurrentAsync(TenantId tenant, BudgetSet set, string spread, CancellationToken ct)
    {
        if (await VersionAsync(tenant, KeyPart.Shard(spread, VersionShards), ct) == set.Version) return true;
        Forget(tenant);
        return false;
    }

    /// <summary>Makes the transaction fail where the set is in force no more.</summary>
    /// <param name="spread">Chooses the shard.</param>
    public int Check(Transaction transaction, TenantId tenant, BudgetSet set, string spread) => set.Version == 0
        ? transaction.Check(database.Tables.Keys, VersionKey(tenant, KeyPart.Shard(spread, VersionShards)), NoVersion)
        : transaction.Check(database.Tables.Keys, VersionKey(tenant, KeyPart.Shard(spread, VersionShards)), SameVersion, new Item().Set(":version", set.Version));

    /// <summary>Adds or replaces a budget; an epoch goes on where neither its beginning nor its periods changed.</summary>
    public async Task<Definition> PutAsync(Budget budget, CancellationToken ct)
    {
        var changed = await ChangeAsync(
            budget.Tenant,
            set => set.Find(budget.Scope, budget.Period) is { Removed: false } known && known.Budget.TimeZone == budget.TimeZone
                ? new Definition(budget, known.Epoch, Removed: false)
                : new Definition(budget, set.Version + 1, Removed: false),
            ct);
        return changed!;
    }

    /// <summary>False where there was none.</summary>
    public async Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct) => await ChangeAsync(
        tenant,
        set => set.Find(scope, period) is { Removed: false } known ? new Definition(known.Budget, set.Version + 1, Removed: true) : null,
        ct) is not null;

    private async Task<Definition?> ChangeAsync(TenantId tenant, Func<BudgetSet, Definition?> change, CancellationToken ct)
    {
        var backoff = new Backoff(database.Time);
        do
        {
            Forget(tenant);
            var set = await OfAsync(tenant, ct);
            if (change(set) is not { } definition) return null;
            var transaction = new Transaction();
            transaction.Put(database.Tables.Keys, Write(definition));
            for (var shard = 0; shard < VersionShards; shard++)
            {
                var values = new Item().Set(":next", set.Version + 1);
                if (set.Version > 0) values.Set(":version", set.Version);
                transaction.Update(database.Tables.Keys, VersionKey(tenant, shard), SetVersion, set.Version == 0 ? NoVersion : SameVersion, values);
            }

            var outcome = await database.WriteAsync(transaction, database.NewToken(), ct);
            Forget(tenant);
            if (outcome.Written) return definition;
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"The budgets of tenant '{tenant}' are being changed by too many at once. Try again.");
    }

    private async Task<long> VersionAsync(TenantId tenant, int shard, CancellationToken ct) => (await database.GetAsync(database.Tables.Keys, VersionKey(tenant, shard), ct))?.Long("version") ?? 0;

    private static Item VersionKey(TenantId tenant, int shard) => Item.Key($"{LedgerKeys.Tenant(tenant)}#v#{shard}", "version");

    private static string Partition(TenantId tenant) => $"{LedgerKeys.Tenant(tenant)}#budgets";

    private static Item Write(Definition definition)
    {
        var budget = definition.Budget;
        var sk = string.Create(CultureInfo.InvariantCulture, $"{(int)budget.Scope.Kind}#{KeyPart.Of(budget.Scope.Name)}#{(int)budget.Period}");
        return Item.Key(Partition(budget.Tenant), sk)
            .Set("tenant", budget.Tenant.Value)
            .Set("kind", (long)budget.Scope.Kind)
            .Set("name", budget.Scope.Name)
            .Set("period", (long)budget.Period)
            .Set("limit", budget.Limit.NanoDollars)
            .Set("hard", budget.Hard)
            .Set("zone", budget.TimeZone)
            .Set("epoch", definition.Epoch)
            .Set("removed", definition.Removed);
    }

    internal static Definition Read(TenantId tenant, Item item) => new(
        new Budget
        {
            Tenant = tenant,
            Scope = new BudgetScope((BudgetScopeKind)item.Long("kind"), item.Text("name")),
            Period = (BudgetPeriod)item.Long("period"),
            Limit = new Money(item.Long("limit")),
            Hard = item.Flag("hard"),
            TimeZone = item.Text("zone"),
        },
        item.Long("epoch"),
        item.Flag("removed"));
}
