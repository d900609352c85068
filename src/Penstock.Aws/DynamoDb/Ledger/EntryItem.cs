using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Ledger;

/// <summary>
/// A <see cref="LedgerEntry"/> as an item. An attempt is reserved, closed and adjusted at most once each: where the entry of a step would stand, another
/// one is in the way.
/// </summary>
internal static class EntryItem
{
    /// <summary>The condition of every entry.</summary>
    public const string IsFirst = "attribute_not_exists(#pk)";

    public static Item Key(TenantId tenant, AttemptId attempt, string step) => Item.Key(LedgerKeys.Entries(tenant, attempt), step);

    public static string StepOf(LedgerEntryKind kind) => kind switch
    {
        LedgerEntryKind.Reserve => LedgerKeys.Reserve,
        LedgerEntryKind.Adjust => LedgerKeys.Adjust,
        _ => LedgerKeys.Close,
    };

    /// <param name="accounts">On which it was booked, where a correction may have to find them again.</param>
    /// <param name="token">Whose transaction wrote it, by which that one knows its own work after a time-out.</param>
    /// <param name="step">Where it is another than its kind's.</param>
    /// <param name="slice">The slice that its money came from, or that it is an entry of.</param>
    public static Item Write(LedgerEntry entry, string token, IReadOnlyList<string>? accounts = null, string? step = null, AttemptId? slice = null) => RowItem.Write(Key(entry.Row.Tenant, entry.Row.Attempt, step ?? StepOf(entry.Kind)), entry.Row)
        .Set("log", LedgerKeys.Log(entry.Row.Tenant, LedgerKeys.ShardOf(entry.Row.Attempt)))
        .Set("number", entry.Number)
        .Set("kind", (long)entry.Kind)
        .Set("held", entry.Held.NanoDollars)
        .Set("spent", entry.Spent.NanoDollars)
        .Set("token", token)
        .Set("accounts", accounts ?? [])
        .Set("slice", slice?.Value);

    /// <summary>Stands where a reservation would, for an attempt that is booked without one. It is no entry, and not in the log.</summary>
    public static Item WriteUnreserved(LedgerRow row) => Key(row.Tenant, row.Attempt, LedgerKeys.Reserve);

    public static LedgerEntry Read(Item item) => new(
        item.Long("number"),
        KindOf(item),
        RowItem.Read(item),
        new Money(item.Long("held")),
        new Money(item.Long("spent")));

    public static AttemptId? SliceOf(Item item) => item.TextOrNull("slice") is { } slice ? new AttemptId(slice) : null;

    public static LedgerEntryKind KindOf(Item item) => (LedgerEntryKind)item.Long("kind");
}
