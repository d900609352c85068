using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Budgets;

/// <summary>
/// Budgets, the holds on them, and the entries that both are the fold of. Each write is atomic over every budget it touches and durable when its task completes.
/// A hard budget's <c>spent + held</c> never passes its limit by a reservation. Reads and writes never cross a tenant.
/// </summary>
public interface IBudgetStore
{
    /// <summary>
    /// Holds as much of <see cref="HoldRequest.Wanted"/> as every hard budget leaves, or nothing where that is less than <see cref="HoldRequest.Least"/>.
    /// A second reservation for the same attempt is a bug and throws.
    /// </summary>
    Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct);

    /// <summary>
    /// Appends the attempt to the ledger and, in the same transaction, releases its hold and books <see cref="LedgerRow.Cost"/> on the budgets it held.
    /// Only the first call for an attempt changes anything; false for any other. An attempt whose hold had expired is corrected by the difference.
    /// </summary>
    Task<bool> SettleAsync(LedgerRow row, CancellationToken ct);

    /// <summary>
    /// Settles holds that nobody settled by <paramref name="now"/> at what they held, outcome <see cref="AttemptOutcome.Unknown"/>: unknown is never refunded.
    /// Returns how many; every tenant's.
    /// </summary>
    Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct);

    /// <summary>Adds the budget or replaces the one of the same scope and period. What was spent in the running period counts from the start.</summary>
    Task PutAsync(Budget budget, CancellationToken ct);

    /// <summary>False where there was none.</summary>
    Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct);

    /// <summary>Every budget over these scopes where it stands at <paramref name="at"/>; those in <paramref name="implied"/> too, unless a stored one has their scope and period.</summary>
    Task<IReadOnlyList<BudgetStatus>> StatusAsync(TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at, CancellationToken ct);

    /// <summary>Every stored budget of the tenant where it stands at <paramref name="at"/>.</summary>
    Task<IReadOnlyList<BudgetStatus>> ListAsync(TenantId tenant, DateTimeOffset at, CancellationToken ct);

    /// <summary>Balances of every tenant that differ from the fold of their entries; empty where the books are right.</summary>
    Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct);
}

/// <summary>What to hold before a call.</summary>
public sealed record HoldRequest
{
    /// <summary>What the call is booked as where nobody ever says how it ended; its cost is what was granted.</summary>
    public required LedgerRow Unsettled { get; init; }

    public required IReadOnlyList<BudgetScope> Scopes { get; init; }

    /// <summary>Budgets the caller's key carries itself; a stored one of the same scope and period comes before.</summary>
    public IReadOnlyList<Budget> Implied { get; init; } = [];

    /// <summary>The most the call can cost.</summary>
    public required Money Wanted { get; init; }

    /// <summary>The least with which it is worth calling.</summary>
    public required Money Least { get; init; }

    public required DateTimeOffset At { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <param name="Granted">What is held; null where it was refused.</param>
/// <param name="Budgets">Every budget over the call, as it stands after the reservation.</param>
/// <param name="Refusing">The budget that leaves the least, where it was refused.</param>
public sealed record Reservation(Money? Granted, IReadOnlyList<BudgetStatus> Budgets, BudgetStatus? Refusing);
