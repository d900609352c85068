using Penstock.Agents;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// Inboxes. An item takes its number from the head, so that they are in the order in which they came, and the head is as it was read: whether it waits, and
/// until when. An owner's appends and beats change none of that, and are in nobody's way.
/// </summary>
internal sealed class RunInboxes(DynamoDatabase database, RunHeads heads)
{
    private const string Unread = "#pk = :pk AND begins_with(#sk, :sk)";
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string IsAsSeen = "#status = :status AND #posted = :seen AND attribute_not_exists(#gone)";
    private const string AndWakes = " AND #wakeAt = :wakes";
    private const string AndNeverWakes = " AND attribute_not_exists(#wakeAt)";
    private const string Count = "SET #posted = :posted";
    private const string Cancel = ", #cancel = :cancel";
    private const string Wake = ", #wakeAt = :at, #due = :due, #dueKey = :dueKey";

    private readonly Lanes _lanes = new();

    private string Table => database.Tables.Runs;

    public async Task<Posted> PostAsync(TenantId tenant, RunId run, InboxItem item, CancellationToken ct)
    {
        var (token, partition) = (database.NewToken(), RunKeys.Run(tenant, run));
        var known = Item.Key(partition, RunKeys.Known(item.Id)).Set("token", token);
        var unread = Item.Key(partition, RunKeys.Unread(item.Id)).Set("id", item.Id).Set("kind", item.Kind).Set("at", RunItem.Time(item.At)).Set("body", item.Body);
        using var lane = await _lanes.EnterAsync([partition], ct);
        var backoff = new Backoff(database.Time);
        do
        {
            if (await heads.GetAsync(tenant, run, ct) is not { } head || RunItem.ReadOrNull(head) is not { } seen) return Posted.NotFound;
            if (await TakenByAsync(partition, item.Id, ct) is { } by) return by == token ? Posted.Added : Posted.Again;
            if (seen.Ended) return Posted.Ended;
            var transaction = new Transaction();
            var posted = head.Long("posted") + 1;
            Update(transaction, seen, item, posted);
            var first = transaction.Put(Table, known, IsNew);
            transaction.Put(Table, unread.Copy().Set("number", posted));
            var outcome = await database.WriteAsync(transaction, async () => await TakenByAsync(partition, item.Id, ct) == token, ct);
            if (outcome.Written) return Posted.Added;
            // With this token it was written, and the answer lost.
            if (outcome.Refused.TryGetValue(first, out var before)) return before?.TextOrNull("token") == token ? Posted.Added : Posted.Again;
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"Item '{item.Id}' could not be added to the inbox of run '{run}': too much comes to it at once. Try again.");
    }

    public async Task<IReadOnlyList<InboxItem>> ReadAsync(TenantId tenant, RunId run, CancellationToken ct)
    {
        var items = await database.QueryAsync(Table, Unread, new Item().Set(":pk", RunKeys.Run(tenant, run)).Set(":sk", RunKeys.FirstUnread), ct);
        return [.. items.OrderBy(item => item.Long("number")).Select(item => new InboxItem(item.Text("id"), item.Text("kind"), RunItem.Time(item.Long("at")), item.Text("body")))];
    }

    /// <summary>Whose item of the id came first; null where none came.</summary>
    private async Task<string?> TakenByAsync(string partition, string id, CancellationToken ct) =>
        (await database.GetAsync(Table, Item.Key(partition, RunKeys.Known(id)), ct))?.Text("token");

    private void Update(Transaction transaction, RunRecord seen, InboxItem item, long posted)
    {
        var (update, condition) = (Count, IsAsSeen);
        var values = new Item().Set(":status", (long)seen.Status).Set(":seen", posted - 1).Set(":posted", posted);
        if (item.Cancels)
        {
            update += Cancel;
            values.Set(":cancel", true);
        }

        if (seen.Status == RunStatus.Waiting)
        {
            condition += seen.WakeAt is null ? AndNeverWakes : AndWakes;
            values.Set(":wakes", RunItem.Time(seen.WakeAt));
            // Never later than it would have been due without it.
            if (!(seen.WakeAt <= item.At)) update += WakeAt(values, seen, item.At);
        }

        transaction.Update(Table, RunKeys.HeadKey(seen.Tenant, seen.Id), update, condition, values);
    }

    private static string WakeAt(Item values, RunRecord seen, DateTimeOffset at)
    {
        var due = RunItem.Due(seen.Id, RunStatus.Waiting, at, null)!.Value;
        values.Set(":at", RunItem.Time(at)).Set(":due", due.Partition).Set(":dueKey", due.Key);
        return Wake;
    }
}
