using System.Collections.Concurrent;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>A running call's money: how much, on which accounts, and until when.</summary>
/// <param name="Revision">How often an account was added, or a part of the money settled or given back, after the reservation.</param>
internal sealed record Hold(
    TenantId Tenant, AttemptId Attempt, Money Granted, DateTimeOffset At, DateTimeOffset ExpiresAt, ProjectId Project, KeyId Key, string Model, string? EndUser, string? Run, IReadOnlyList<string> Accounts, long Revision)
{
    /// <summary>An attempt that held money keeps the time and the scopes of its reservation.</summary>
    public LedgerRow Keep(LedgerRow row) => row with { At = At, Project = Project, Key = Key, Model = Model, EndUser = EndUser, Run = Run };

    /// <summary>A run's account is open before anything is held on it, so that no hold is ever put on it later.</summary>
    public bool IsUnder(BudgetScope scope) => scope.Kind switch
    {
        BudgetScopeKind.Tenant => true,
        BudgetScopeKind.Project => Project.Value == scope.Name,
        BudgetScopeKind.Key => Key.Value == scope.Name,
        BudgetScopeKind.User => EndUser == scope.Name,
        BudgetScopeKind.Run => false,
        _ => Model == scope.Name,
    };
}

/// <summary>Holds as items, and those of this process in memory: what a settle needs to know it seldom has to read.</summary>
internal sealed class HoldItems(DynamoDatabase database)
{
    private const string OfShard = "#pk = :pk";
    private const string IsAsSeen = "#revision = :revision";
    private const string Shrink = "SET #granted = :granted, #revision = #revision + :one";
    private const string AddAccount = "SET #accounts = list_append(#accounts, :account), #revision = #revision + :one";
    private const string MayAdd = "attribute_exists(#pk) AND NOT contains(#accounts, :id) AND #revision = :revision";
    private const string Due = "#due = :due AND #dueAt <= :now";
    private const int MostRemembered = 50_000;

    private readonly ConcurrentDictionary<(TenantId, AttemptId), Hold> _seen = new();

    public Hold? Remembered(TenantId tenant, AttemptId attempt) => _seen.GetValueOrDefault((tenant, attempt));

    public void Remember(Hold hold)
    {
        if (_seen.Count < MostRemembered) _seen[(hold.Tenant, hold.Attempt)] = hold;
    }

    public void Forget(TenantId tenant, AttemptId attempt) => _seen.TryRemove((tenant, attempt), out _);

    public async Task<Hold?> ReadAsync(TenantId tenant, AttemptId attempt, CancellationToken ct) =>
        await database.GetAsync(database.Tables.Ledger, LedgerKeys.Hold(tenant, attempt), ct) is { } item ? Read(item) : null;

    public void Put(Transaction transaction, Hold hold) => transaction.Put(database.Tables.Ledger, Write(hold));

    /// <summary>Ends the hold; refused where it is gone, or lies on another account by now.</summary>
    public int Delete(Transaction transaction, Hold hold) => transaction.Delete(database.Tables.Ledger, LedgerKeys.Hold(hold.Tenant, hold.Attempt), IsAsSeen, new Item().Set(":revision", hold.Revision));

    /// <summary>Leaves less of a slice; refused where it is gone, or is another than assumed.</summary>
    public int Keep(Transaction transaction, Hold hold, Money left) => transaction.Update(
        database.Tables.Ledger,
        LedgerKeys.Hold(hold.Tenant, hold.Attempt),
        Shrink,
        IsAsSeen,
        new Item().Set(":granted", left.NanoDollars).Set(":one", 1).Set(":revision", hold.Revision));

    /// <summary>Puts the hold on one more account; refused where it is gone, on it already, or another than was read.</summary>
    public int Adopt(Transaction transaction, Hold hold, string account) => transaction.Update(
        database.Tables.Ledger,
        LedgerKeys.Hold(hold.Tenant, hold.Attempt),
        AddAccount,
        MayAdd,
        new Item().Set(":account", [account]).Set(":id", account).Set(":one", 1).Set(":revision", hold.Revision));

    /// <summary>Every hold of the tenant.</summary>
    public async Task<List<Hold>> AllAsync(TenantId tenant, CancellationToken ct)
    {
        var shards = Enumerable.Range(0, LedgerKeys.Shards).Select(shard => database.QueryAsync(database.Tables.Ledger, OfShard, new Item().Set(":pk", LedgerKeys.Holds(tenant, shard)), ct));
        return [.. (await Task.WhenAll(shards)).SelectMany(items => items).Select(Read)];
    }

    /// <summary>Holds of every tenant that nobody settled in time, the longest due first in each shard.</summary>
    public async Task<List<Hold>> DueAsync(DateTimeOffset now, int mostPerShard, CancellationToken ct)
    {
        var shards = Enumerable.Range(0, LedgerKeys.Shards).Select(shard => database.QueryAsync(
            database.Tables.Ledger, Due, new Item().Set(":due", LedgerKeys.DueHolds(shard)).Set(":now", now.ToUnixTimeMilliseconds()), ct, DynamoTables.ByDue, mostPerShard));
        return [.. (await Task.WhenAll(shards)).SelectMany(items => items).Select(Read)];
    }

    public static Hold Read(Item item) => new(
        new TenantId(item.Text("tenant")),
        new AttemptId(item.Text("attempt")),
        new Money(item.Long("granted")),
        DateTimeOffset.FromUnixTimeMilliseconds(item.Long("at")),
        DateTimeOffset.FromUnixTimeMilliseconds(item.Long("dueAt")),
        new ProjectId(item.Text("project")),
        new KeyId(item.Text("key")),
        item.Text("model"),
        item.TextOrNull("user"),
        item.TextOrNull("run"),
        item.Texts("accounts"),
        item.Long("revision"));

    private static Item Write(Hold hold) => LedgerKeys.Hold(hold.Tenant, hold.Attempt)
        .Set("tenant", hold.Tenant.Value)
        .Set("attempt", hold.Attempt.Value)
        .Set("granted", hold.Granted.NanoDollars)
        .Set("at", hold.At.ToUnixTimeMilliseconds())
        .Set("due", LedgerKeys.DueHolds(LedgerKeys.ShardOf(hold.Attempt)))
        .Set("dueAt", hold.ExpiresAt.ToUnixTimeMilliseconds())
        .Set("project", hold.Project.Value)
        .Set("key", hold.Key.Value)
        .Set("model", hold.Model)
        .Set("user", hold.EndUser)
        .Set("run", hold.Run)
        .Set("accounts", hold.Accounts)
        .Set("revision", hold.Revision);
}
