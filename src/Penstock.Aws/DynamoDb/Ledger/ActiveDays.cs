using System.Collections.Concurrent;
using System.Globalization;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Ledger;

/// <summary>
/// Which tenants have attempts on which days, so that nothing that looks for attempts has to look everywhere. A day is noted before its first attempt
/// is booked, and noted again by every node that books on it.
/// </summary>
internal sealed class ActiveDays(DynamoDatabase database)
{
    private const string InRange = "#pk = :pk AND #sk BETWEEN :first AND :last";
    private const string AllTenants = "#pk = :pk";
    private const int MostRemembered = 10_000;

    private readonly ConcurrentDictionary<(TenantId, DateOnly), bool> _noted = new();

    public async ValueTask NoteAsync(TenantId tenant, DateOnly day, CancellationToken ct)
    {
        if (_noted.ContainsKey((tenant, day))) return;
        if (_noted.Count >= MostRemembered) _noted.Clear();

        await Task.WhenAll(
            database.PutAsync(database.Tables.Ledger, Item.Key("tenants", KeyPart.Of(tenant.Value)).Set("tenant", tenant.Value), ct),
            database.PutAsync(database.Tables.Ledger, Item.Key(LedgerKeys.Days(tenant), LedgerKeys.Day(day)), ct));
        _noted[(tenant, day)] = true;
    }

    /// <summary>In order; both ends are among them.</summary>
    public async Task<IReadOnlyList<DateOnly>> OfAsync(TenantId tenant, DateOnly first, DateOnly last, CancellationToken ct)
    {
        if (first > last) return [];
        var values = new Item().Set(":pk", LedgerKeys.Days(tenant)).Set(":first", LedgerKeys.Day(first)).Set(":last", LedgerKeys.Day(last));
        var items = await database.QueryAsync(database.Tables.Ledger, InRange, values, ct);
        return [.. items.Select(item => DateOnly.ParseExact(item.Text("sk"), "yyyy-MM-dd", CultureInfo.InvariantCulture))];
    }

    public async Task<IReadOnlyList<TenantId>> TenantsAsync(CancellationToken ct) =>
        [.. (await database.QueryAsync(database.Tables.Ledger, AllTenants, new Item().Set(":pk", "tenants"), ct)).Select(item => new TenantId(item.Text("tenant")))];
}
