using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>
/// Budgets in DynamoDB. A reservation reads the balances over the call, which says how much may be granted and what the answer shows, and then writes
/// once; the write's conditions decide, whatever was read. A settle is one write.
/// </summary>
internal sealed class DynamoBudgetStore(
    DynamoDatabase database, Definitions definitions, Balances balances, Openings openings, Settlements settlements, Books books) : IBudgetStore
{
    public async Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct)
    {
        var row = request.Unsettled;
        var token = database.NewToken();
        var backoff = new Backoff(database.Time);
        do
        {
            var set = await definitions.OfAsync(row.Tenant, ct);
            var accounts = set.Over(BudgetScope.Over(row), request.Implied, row.At);
            using var lanes = await books.Ledger.Lanes.EnterAsync(accounts.Select(account => account.Id), ct);
            var standing = await openings.EnsureAsync(accounts, ct);
            var statuses = accounts.Select((account, i) => standing[i].Of(account)).ToList();
            var (granted, tightest) = Grant(request, statuses);
            if (granted < request.Least)
            {
                // A limit may have been raised by another node; a grant would find out, a refusal must look.
                if (!await definitions.IsCurrentAsync(row.Tenant, set, row.Attempt.Value, ct)) continue;
                for (var i = 0; i < accounts.Count; i++) await books.Ledger.Thresholds.RaiseRefusedAsync(accounts[i], statuses[i], standing[i], request.Least, row.At, ct);
                return new Reservation(null, statuses, tightest);
            }

            foreach (var balance in standing) books.Ledger.Numbers.Observe(balance.Number);
            if (await WriteAsync(request, set, accounts, granted, token, ct)) return new Reservation(granted, [.. statuses.Select(status => status with { Held = status.Held + granted })], null);
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"Nothing could be reserved for attempt '{row.Attempt}': too many others reserve on the same budgets. Try again.");
    }

    public Task<bool> SettleAsync(LedgerRow row, CancellationToken ct) => settlements.SettleAsync(row, ct);

    public Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct) => settlements.ExpireAsync(now, ct);

    public async Task PutAsync(Budget budget, CancellationToken ct)
    {
        if (budget.Scope.Kind == BudgetScopeKind.Run) throw new ArgumentException("A run's budget is implied by its calls and never stored.", nameof(budget));
        var definition = await definitions.PutAsync(budget, ct);
        await openings.EnsureAsync([BudgetSet.Of(definition, database.Time.GetUtcNow())], ct);
    }

    public Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct) => definitions.RemoveAsync(tenant, scope, period, ct);

    public Task<IReadOnlyList<BudgetStatus>> StatusAsync(TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at, CancellationToken ct) =>
        StandAsync(tenant, set => set.Over(scopes, implied, at), ct);

    public Task<IReadOnlyList<BudgetStatus>> ListAsync(TenantId tenant, DateTimeOffset at, CancellationToken ct) =>
        StandAsync(tenant, set => [.. set.Stored.OrderBy(one => one.Budget.Scope.Kind).ThenBy(one => one.Budget.Scope.Name, StringComparer.Ordinal).ThenBy(one => one.Budget.Period).Select(one => BudgetSet.Of(one, at))], ct);

    public Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant, long after, int limit, CancellationToken ct) => books.EntriesAsync(tenant, after, limit, ct);

    public Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct) => books.VerifyAsync(ct);

    private async Task<IReadOnlyList<BudgetStatus>> StandAsync(TenantId tenant, Func<BudgetSet, List<Account>> over, CancellationToken ct)
    {
        while (true)
        {
            var set = await definitions.OfAsync(tenant, ct);
            if (!await definitions.IsCurrentAsync(tenant, set, "", ct)) continue;
            var accounts = over(set);
            var standing = await openings.EnsureAsync(accounts, ct);
            return [.. accounts.Select((account, i) => standing[i].Of(account))];
        }
    }

    private static (Money Granted, BudgetStatus? Tightest) Grant(HoldRequest request, IReadOnlyList<BudgetStatus> statuses)
    {
        var tightest = statuses.Where(status => status.Budget.Hard).MinBy(status => status.Remaining);
        return (tightest is not null && tightest.Remaining < request.Wanted ? tightest.Remaining : request.Wanted, tightest);
    }

    /// <summary>False where it must be tried again with what is known then.</summary>
    private async Task<bool> WriteAsync(HoldRequest request, BudgetSet set, List<Account> accounts, Money granted, string token, CancellationToken ct)
    {
        var row = request.Unsettled;
        var transaction = new Transaction();
        var number = books.Ledger.Numbers.Next();
        var version = definitions.Check(transaction, row.Tenant, set, row.Attempt.Value);
        foreach (var account in accounts) balances.Reserve(transaction, account, granted, number);
        var entry = transaction.Put(database.Tables.Ledger, EntryItem.Write(new LedgerEntry(number, LedgerEntryKind.Reserve, row with { Cost = Money.Zero }, granted, Money.Zero), token), EntryItem.IsFirst);
        var hold = new Hold(row.Tenant, row.Attempt, granted, row.At, request.ExpiresAt, row.Project, row.Key, row.Model, row.EndUser, row.Run, [.. accounts.Select(account => account.Id)], 0);
        books.Holds.Put(transaction, hold);

        var outcome = await database.WriteAsync(transaction, database.NewToken(), ct);
        if (outcome.Refused.TryGetValue(entry, out var before) && before?.TextOrNull("token") != token)
            throw new InvalidOperationException($"Attempt '{row.Attempt}' is in the ledger already; a reservation needs an attempt of its own.");
        if (outcome.RefusedAt(version)) definitions.Forget(row.Tenant);
        if (!outcome.Written && before is null) return false;
        books.Holds.Remember(hold);
        return true;
    }
}
