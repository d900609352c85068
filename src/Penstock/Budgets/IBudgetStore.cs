using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Budgets;

/// <summary>
/// Budgets, and the append-only ledger whose fold they are. An attempt belongs to every budget over its <see cref="BudgetScope.Over"/>, in the period that
/// <see cref="LedgerRow.At"/> of its reservation falls in: <c>spent</c> is the sum of a budget's attempts' costs and <c>held</c> that of its running
/// attempts' holds, whether the budget was there before them or not. Each write is atomic over every budget it touches and durable when its task
/// completes. A hard budget's <c>spent + held</c> never passes its limit by a reservation. Reads and writes never cross a tenant.
/// </summary>
public interface IBudgetStore
{
    /// <summary>
    /// Holds as much of <see cref="HoldRequest.Wanted"/> as every hard budget leaves, or nothing where that is less than <see cref="HoldRequest.Least"/>.
    /// A reservation for an attempt that is in the ledger already is a bug and throws.
    /// </summary>
    Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct);

    /// <summary>
    /// Appends the attempt to the ledger and, in the same transaction, releases its hold, books <see cref="LedgerRow.Cost"/> on its budgets and adds it to
    /// the rollups. An attempt that held money keeps the time and the scopes of its reservation, and one that held nothing is appended too. Only the first
    /// call for an attempt changes anything, also of many at once; false for any other. An attempt whose hold had expired is corrected by the difference,
    /// in a row of its own. Raises the alerts that are due (see <see cref="Budget.Thresholds"/>).
    /// </summary>
    Task<bool> SettleAsync(LedgerRow row, CancellationToken ct);

    /// <summary>
    /// Settles holds that nobody settled by <paramref name="now"/> at what they held, outcome <see cref="AttemptOutcome.Unknown"/>: unknown is never refunded.
    /// Returns how many; every tenant's.
    /// </summary>
    Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct);

    /// <summary>
    /// Adds the budget or replaces the one of the same scope and period. What was spent in the running period counts from the start. Throws for one of a
    /// run: those are implied.
    /// </summary>
    Task PutAsync(Budget budget, CancellationToken ct);

    /// <summary>False where there was none.</summary>
    Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct);

    /// <summary>Every budget over these scopes where it stands at <paramref name="at"/>; those in <paramref name="implied"/> too, unless a stored one has their scope and period.</summary>
    Task<IReadOnlyList<BudgetStatus>> StatusAsync(TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at, CancellationToken ct);

    /// <summary>Every stored budget of the tenant where it stands at <paramref name="at"/>.</summary>
    Task<IReadOnlyList<BudgetStatus>> ListAsync(TenantId tenant, DateTimeOffset at, CancellationToken ct);

    /// <summary>
    /// The ledger's entries of the tenant in the order in which they were written, at most <paramref name="limit"/> of those after <paramref name="after"/>
    /// (0 for all): what auditors read.
    /// </summary>
    Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant, long after, int limit, CancellationToken ct);

    /// <summary>
    /// Balances and rollups of every tenant that differ from the fold of the ledger, a sentence each; empty where the books are right. Periods whose
    /// attempts retention has dropped are held against the rollups.
    /// </summary>
    Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct);
}

/// <summary>What to hold before a call.</summary>
public sealed record HoldRequest
{
    /// <summary>
    /// What the call is booked as where nobody ever says how it ended; its cost is what was granted. It says which budgets the call is under, and in which
    /// of their periods.
    /// </summary>
    public required LedgerRow Unsettled { get; init; }

    /// <summary>
    /// Budgets the caller's key carries itself, the same for every call of the key, and those of its runs, one for each run of
    /// <see cref="LedgerRow.Run"/>; a stored one of the same scope and period comes before.
    /// </summary>
    public IReadOnlyList<Budget> Implied { get; init; } = [];

    /// <summary>The most the call can cost.</summary>
    public required Money Wanted { get; init; }

    /// <summary>The least with which it is worth calling.</summary>
    public required Money Least { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <param name="Granted">What is held; null where it was refused.</param>
/// <param name="Budgets">Every budget over the call, as it stands after the reservation.</param>
/// <param name="Refusing">The budget that leaves the least, where it was refused.</param>
public sealed record Reservation(Money? Granted, IReadOnlyList<BudgetStatus> Budgets, BudgetStatus? Refusing);

/// <summary>What an entry of the ledger records. The numbers are stored.</summary>
public enum LedgerEntryKind
{
    /// <summary>Money is held; nothing is spent.</summary>
    Reserve = 0,

    /// <summary>The hold ends, where there was one, and the cost is spent.</summary>
    Settle = 1,

    /// <summary>The hold ends, and the attempt cost nothing.</summary>
    Release = 2,

    /// <summary>A correction of what was booked at <see cref="Expire"/>: the difference, and the counts that are known now.</summary>
    Adjust = 3,

    /// <summary>The hold ends, and what it held is spent, because nobody came back.</summary>
    Expire = 4,
}

/// <summary>
/// One append-only row: by how much it changed what the attempt's budgets hold and have spent. An attempt has at most one of a kind. Calls that share a hold
/// have none of their own to reserve: its entries stand under an attempt <c>slice_…</c>, and what is given back of it is a release.
/// </summary>
/// <param name="Number">Grows with every entry of the tenant; gaps mean nothing.</param>
/// <param name="Row">The attempt as it was known then; its cost is <paramref name="Spent"/>.</param>
public sealed record LedgerEntry(long Number, LedgerEntryKind Kind, LedgerRow Row, Money Held, Money Spent);
