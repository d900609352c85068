using Penstock.Usage;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Usage;

/// <summary>
/// Drops old attempts and their entries. An attempt's row goes last, because by it the rest is found: what a crash leaves is found again. An attempt that
/// holds money has no row yet.
/// </summary>
internal sealed class Retention(DynamoDatabase database, ActiveDays days, AttemptRows attempts)
{
    private const int MostAtOnce = 200;

    // How much later than it began an attempt may be booked and still be found by the next round.
    private const long LateMs = 7 * Tiles.DayMs;

    private const string AnAttempt = "#pk = :pk";
    private const string Forward = "SET #before = :before";
    private const string IsForward = "attribute_not_exists(#before) OR #before < :before";

    private static Item MarkKey => Item.Key("retention", "before");

    /// <summary>How many entries were dropped.</summary>
    public async Task<int> DropAsync(DateTimeOffset before, CancellationToken ct)
    {
        await database.UpdateAsync(database.Tables.Ledger, MarkKey, Forward, IsForward, new Item().Set(":before", before.ToUnixTimeMilliseconds()), ct);
        var dropped = 0;
        foreach (var tenant in await days.TenantsAsync(ct))
        {
            dropped += await DropAsync(tenant, before, MostAtOnce - dropped, ct);
            if (dropped >= MostAtOnce) break;
        }

        return dropped;
    }

    /// <summary>Attempts that began before this, in Unix milliseconds, may be gone; null where none was ever dropped.</summary>
    public async Task<long?> BeforeAsync(CancellationToken ct) => (await database.GetAsync(database.Tables.Ledger, MarkKey, ct))?.Long("before");

    private async Task<int> DropAsync(TenantId tenant, DateTimeOffset before, int most, CancellationToken ct)
    {
        var slices = new HashSet<AttemptId>();
        var (dropped, mark) = (0, Item.Key($"{LedgerKeys.Tenant(tenant)}#dropped", "before"));
        // Where an earlier round ended nothing is left, and days without attempts need not be asked again.
        var from = (await database.GetAsync(database.Tables.Ledger, mark, ct))?.Long("before") ?? long.MinValue;
        await foreach (var item in attempts.NewestFirstAsync(tenant, from, before.ToUnixTimeMilliseconds(), MostAtOnce, ct))
        {
            var row = RowItem.Read(item);
            var entries = await database.QueryAsync(database.Tables.Ledger, AnAttempt, new Item().Set(":pk", LedgerKeys.Entries(tenant, row.Attempt)), ct);
            foreach (var slice in entries.Select(EntryItem.SliceOf).OfType<AttemptId>().Where(slices.Add)) dropped += await DropSliceAsync(tenant, slice, ct);
            await DeleteAsync(entries, ct);
            await database.DeleteAsync(database.Tables.Usage, [new Item().Set("userId", item.Text("userId")).Set("timestamp", item.Long("timestamp"))], ct);
            dropped += entries.Count(entry => entry.Has("number"));
            if (dropped >= most) return dropped;
        }

        await database.PutAsync(database.Tables.Ledger, mark.Copy().Set("before", Math.Max(from, before.ToUnixTimeMilliseconds() - LateMs)), ct);
        return dropped;
    }

    /// <summary>What a slice's calls came from, unless money is held by it.</summary>
    private async Task<int> DropSliceAsync(TenantId tenant, AttemptId slice, CancellationToken ct)
    {
        if (await database.GetAsync(database.Tables.Ledger, LedgerKeys.Hold(tenant, slice), ct) is not null) return 0;
        var entries = await database.QueryAsync(database.Tables.Ledger, AnAttempt, new Item().Set(":pk", LedgerKeys.Entries(tenant, slice)), ct);
        await DeleteAsync(entries, ct);
        return entries.Count;
    }

    private Task DeleteAsync(List<Item> entries, CancellationToken ct) =>
        database.DeleteAsync(database.Tables.Ledger, [.. entries.Select(entry => Item.Key(entry.Text("pk"), entry.Text("sk")))], ct);
}
