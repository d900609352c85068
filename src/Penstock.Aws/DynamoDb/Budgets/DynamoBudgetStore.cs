using Penstock.Aws.DynamoDb.Budgets.Leases;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>Budgets in DynamoDB. A reservation is one read and one write, and a settle one write; many calls of one kind share them (see <see cref="CallLeases"/>).</summary>
internal sealed class DynamoBudgetStore(
    DynamoDatabase database, Definitions definitions, Openings openings, Reservations reservations, Settlements settlements, Books books) : IBudgetStore
{
    /// <summary>Null where each call is reserved for and settled alone.</summary>
    public CallLeases? Leases { get; init; }

    public async Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct) => Leases is null
        ? await reservations.ReserveAsync(request, null, ct)
        : await Leases.ReserveAsync(request, ct) ?? await reservations.ReserveAsync(request, Leases.NewPatience(), ct);

    public async Task<bool> SettleAsync(LedgerRow row, CancellationToken ct) =>
        Leases is not null && await Leases.SettleAsync(row, ct) is { } settled ? settled : await settlements.SettleAsync(row, ct);

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
}
