using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Sqlite.Usage;
using Penstock.Usage;

namespace Penstock.Sqlite.Budgets;

/// <summary>
/// Budgets in SQLite. Each operation runs on the one writer, so that nothing it read can change before it writes, and enters the ledger row by row; what the
/// entries move is gathered in <see cref="Books"/> and written once for all the operations of a commit.
/// </summary>
internal sealed class SqliteBudgetStore(SqliteDatabase database) : IBudgetStore
{
    private const int MostExpiredAtOnce = 500;

    private readonly Books _books = database.Books;

    public Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct) => database.WriteAsync(session => Reserve(session, request), ct);

    public Task<bool> SettleAsync(LedgerRow row, CancellationToken ct) => database.WriteAsync(session => Settle(session, row), ct);

    public Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct) => database.WriteAsync(session => Expire(session, now), ct);

    public Task PutAsync(Budget budget, CancellationToken ct)
    {
        if (budget.Scope.Kind == BudgetScopeKind.Run) throw new ArgumentException("A run's budget is implied by its calls and never stored.", nameof(budget));
        return database.WriteAsync(
            session =>
            {
                BudgetRows.Put(session, budget);
                _books.Forget(budget.Tenant);
                return true;
            },
            ct);
    }

    public Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            var removed = BudgetRows.Remove(session, tenant, scope, period);
            _books.Forget(tenant);
            return removed;
        },
        ct);

    // On the writer, which knows the balances: one that nobody has asked for yet is made from the rollups.
    public Task<IReadOnlyList<BudgetStatus>> StatusAsync(TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at, CancellationToken ct) =>
        database.WriteAsync<IReadOnlyList<BudgetStatus>>(session => Statuses(_books.Over(session, tenant, scopes, implied, at)), ct);

    public Task<IReadOnlyList<BudgetStatus>> ListAsync(TenantId tenant, DateTimeOffset at, CancellationToken ct) =>
        database.WriteAsync<IReadOnlyList<BudgetStatus>>(session => Statuses(_books.All(session, tenant, at)), ct);

    public Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant, long after, int limit, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        return database.ReadAsync(session => LedgerRows.After(session, tenant, after, limit), ct);
    }

    public Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct) => database.ReadAsync(Verification.Run, ct);

    private Reservation Reserve(Session session, HoldRequest request)
    {
        var row = request.Unsettled with { Cost = Money.Zero };
        var scopes = _books.Moved(session, row);
        var standings = _books.Over(session, row.Tenant, scopes, request.Implied, row.At);
        var granted = request.Wanted;
        Standing? tightest = null;
        foreach (var standing in standings)
        {
            if (!standing.Budget.Hard) continue;
            if (tightest is not { } least || standing.Remaining < least.Remaining) tightest = standing;
            if (standing.Remaining < granted) granted = standing.Remaining;
        }

        // The cap. Nothing moves a balance between this line and the entry below.
        if (granted < request.Least)
        {
            _books.Refuse(standings, request.Least, row.At);
            return new Reservation(null, Statuses(standings), tightest?.Status);
        }

        var number = LedgerRows.Insert(session, LedgerEntryKind.Reserve, row, granted);
        HoldRows.Insert(session, row, granted, request.ExpiresAt, number);
        _books.Enter(LedgerEntryKind.Reserve, row, granted, scopes);
        return new Reservation(granted, Statuses(standings), null);
    }

    private bool Settle(Session session, LedgerRow row)
    {
        if (HoldRows.Take(session, row.Tenant, row.Attempt) is { } hold)
        {
            var reserved = _books.Reserved(session, row.Tenant, row.Attempt, hold.Number);
            Enter(session, row.Cost == Money.Zero ? LedgerEntryKind.Release : LedgerEntryKind.Settle, WhereReserved(row, reserved), Money.Zero - hold.Granted);
            return true;
        }

        var ends = LedgerRows.Ends(session, row);
        if (ends.Count == 0)
        {
            Enter(session, LedgerEntryKind.Settle, row, Money.Zero);
            return true;
        }

        if (ends.Count > 1 || !ends.TryGetValue(LedgerEntryKind.Expire, out var number)) return false;

        // The hold expired and was booked at its ceiling; now it is known what the call cost.
        var booked = LedgerRows.Get(session, row.Tenant, number);
        Enter(session, LedgerEntryKind.Adjust, WhereReserved(row, booked) with { Cost = row.Cost - booked.Cost }, Money.Zero);
        return true;
    }

    private int Expire(Session session, DateTimeOffset now)
    {
        var entered = new List<(LedgerRow Row, Money Granted, IReadOnlyList<BudgetScope> Scopes)>();
        foreach (var (tenant, attempt) in HoldRows.Expired(session, now, MostExpiredAtOnce))
        {
            var hold = HoldRows.Take(session, tenant, attempt)!;
            var row = hold.Expired(_books.Reserved(session, tenant, attempt, hold.Number));
            LedgerRows.Insert(session, LedgerEntryKind.Expire, row, Money.Zero - hold.Granted);
            entered.Add((row, hold.Granted, _books.Moved(session, row)));
        }

        foreach (var (row, granted, scopes) in entered) _books.Enter(LedgerEntryKind.Expire, row, Money.Zero - granted, scopes);
        return entered.Count;
    }

    private void Enter(Session session, LedgerEntryKind kind, LedgerRow row, Money held)
    {
        var scopes = _books.Moved(session, row);
        LedgerRows.Insert(session, kind, row, held);
        _books.Enter(kind, row, held, scopes);
    }

    /// <summary>At the time and under the scopes that the attempt's money was held in.</summary>
    private static LedgerRow WhereReserved(LedgerRow row, LedgerRow reserved) => row with
    {
        At = reserved.At,
        Project = reserved.Project,
        Key = reserved.Key,
        Provider = reserved.Provider,
        Model = reserved.Model,
        EndUser = reserved.EndUser,
        Conversation = reserved.Conversation,
        Run = reserved.Run,
    };

    private static List<BudgetStatus> Statuses(List<Standing> standings) => standings.ConvertAll(standing => standing.Status);
}
