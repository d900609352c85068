using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Sqlite.Usage;
using Penstock.Usage;

namespace Penstock.Sqlite.Budgets;

/// <summary>Budgets in SQLite. Each operation runs on the one writer, so that what it reads cannot change before it writes; the updates are conditional all the same.</summary>
internal sealed class SqliteBudgetStore(SqliteDatabase database) : IBudgetStore
{
    private const int MostExpiredAtOnce = 500;

    public Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            var row = request.Unsettled;
            var balances = Balances.Over(session, row.Tenant, BudgetScope.Over(row), request.Implied, row.At);
            var granted = request.Wanted;
            BudgetStatus? tightest = null;
            foreach (var balance in balances.Where(balance => balance.Budget.Hard))
            {
                if (tightest is null || balance.Remaining < tightest.Remaining) tightest = balance;
                if (balance.Remaining < granted) granted = balance.Remaining;
            }

            if (granted < request.Least) return new Reservation(null, balances, tightest);

            HoldRows.Insert(session, row, granted, row.At, request.ExpiresAt);
            foreach (var balance in balances) Entries.Reserve(session, row.Attempt, balance, granted);
            return new Reservation(granted, [.. balances.Select(balance => balance with { Held = balance.Held + granted })], null);
        },
        ct);

    public Task<bool> SettleAsync(LedgerRow row, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            if (!SqliteUsageStore.Insert(session, row)) return HoldRows.Find(session, row.Tenant, row.Attempt) is null && Late(session, row);
            if (HoldRows.Remove(session, row.Tenant, row.Attempt)) Entries.Close(session, row.Tenant, row.Attempt, EntryKind.Settle, row.Cost);
            return true;
        },
        ct);

    public Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            var expired = HoldRows.Expired(session, now, MostExpiredAtOnce);
            foreach (var row in expired)
            {
                SqliteUsageStore.Insert(session, row with { At = now });
                HoldRows.Remove(session, row.Tenant, row.Attempt);
                Entries.Close(session, row.Tenant, row.Attempt, EntryKind.Expire, row.Cost);
            }

            return expired.Count;
        },
        ct);

    public Task PutAsync(Budget budget, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            BudgetRows.Put(session, budget);
            return true;
        },
        ct);

    public Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct) =>
        database.WriteAsync(session => BudgetRows.Remove(session, tenant, scope, period), ct);

    // On the writer: a period that nobody has touched yet is opened with what its calls have spent.
    public Task<IReadOnlyList<BudgetStatus>> StatusAsync(TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at, CancellationToken ct) =>
        database.WriteAsync(session => Balances.Over(session, tenant, scopes, implied, at), ct);

    public Task<IReadOnlyList<BudgetStatus>> ListAsync(TenantId tenant, DateTimeOffset at, CancellationToken ct) =>
        database.WriteAsync(session => Balances.Of(session, BudgetRows.All(session, tenant), at), ct);

    public Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant, long after, int limit, CancellationToken ct) => throw new NotSupportedException();

    public Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct) => database.ReadAsync(Entries.Verify, ct);

    /// <summary>The hold expired and was booked at its ceiling; now it is known what the call cost.</summary>
    private static bool Late(Session session, LedgerRow row)
    {
        if (Entries.CostOfExpired(session, row.Tenant, row.Attempt) is not { } booked) return false;
        var adjust = row with { Attempt = new AttemptId($"{row.Attempt}:adjust"), Cost = row.Cost - booked };
        if (!SqliteUsageStore.Insert(session, adjust)) return false;
        Entries.Adjust(session, row.Tenant, row.Attempt, adjust.Cost);
        return true;
    }
}
