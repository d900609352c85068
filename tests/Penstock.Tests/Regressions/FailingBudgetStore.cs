using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Tests.Regressions;

/// <summary>The real store, whose disk fails when it is told to.</summary>
internal sealed class FailingBudgetStore(IBudgetStore inner) : IBudgetStore
{
    public bool FailsToReserve { get; set; }

    public bool FailsToSettle { get; set; }

    public static void In(IServiceCollection services)
    {
        var real = services.Last(service => service.ServiceType == typeof(IBudgetStore));
        services.AddSingleton(provider => new FailingBudgetStore((IBudgetStore)(real.ImplementationFactory?.Invoke(provider) ?? ActivatorUtilities.CreateInstance(provider, real.ImplementationType!))));
        services.AddSingleton<IBudgetStore>(provider => provider.GetRequiredService<FailingBudgetStore>());
    }

    public Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct) => FailsToReserve ? Task.FromException<Reservation>(Full()) : inner.ReserveAsync(request, ct);

    public Task<bool> SettleAsync(LedgerRow row, CancellationToken ct) => FailsToSettle ? Task.FromException<bool>(Full()) : inner.SettleAsync(row, ct);

    public Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct) => inner.ExpireAsync(now, ct);

    public Task PutAsync(Budget budget, CancellationToken ct) => inner.PutAsync(budget, ct);

    public Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct) => inner.RemoveAsync(tenant, scope, period, ct);

    public Task<IReadOnlyList<BudgetStatus>> StatusAsync(TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at, CancellationToken ct) =>
        inner.StatusAsync(tenant, scopes, implied, at, ct);

    public Task<IReadOnlyList<BudgetStatus>> ListAsync(TenantId tenant, DateTimeOffset at, CancellationToken ct) => inner.ListAsync(tenant, at, ct);

    public Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant, long after, int limit, CancellationToken ct) => inner.EntriesAsync(tenant, after, limit, ct);

    public Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct) => inner.VerifyAsync(ct);

    private static IOException Full() => new("No space left on device");
}
