using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>The ledger as those see it who read it on.</summary>
internal sealed class Books(DynamoDatabase database, HoldItems holds, LedgerWriter ledger, Audit audit)
{
    private const string After = "#log = :log AND #number > :after";

    public LedgerWriter Ledger => ledger;

    public HoldItems Holds => holds;

    public Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct) => audit.VerifyAsync(ct);

    /// <summary>
    /// By number. The index follows a write within moments, and numbers come from the writers' clocks, so that a reader that follows closely may meet one
    /// below what it has read; one that stays a minute behind does not.
    /// </summary>
    public async Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant, long after, int limit, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        if (limit == 0) return [];
        var shards = Enumerable.Range(0, LedgerKeys.Shards).Select(shard => database.QueryAsync(
            database.Tables.Ledger, After, new Item().Set(":log", LedgerKeys.Log(tenant, shard)).Set(":after", after), ct, DynamoTables.ByNumber, limit));
        var entries = (await Task.WhenAll(shards)).SelectMany(items => items).Select(EntryItem.Read).OrderBy(entry => entry.Number).ToList();
        if (entries.Count <= limit) return entries;
        // Two nodes may have given one number; a page ends before such a pair, not within.
        var end = limit;
        while (end > 1 && entries[end - 1].Number == entries[end].Number) end--;
        return entries[..end];
    }
}
