using Penstock.Agents;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// Removes what is old. A run is marked as gone first, so that nobody sees a part of it; its head goes last, so that what a crash leaves is found again. Several
/// nodes may sweep at once.
/// </summary>
internal sealed class RunSweep(DynamoDatabase database, RunLists lists, RunJournals journals)
{
    private const string HasEnded = "#status >= :ended AND #endedAt < :before AND attribute_not_exists(#gone)";
    private const string IsGone = "attribute_exists(#gone)";
    private const string SetGone = "SET #gone = :gone";
    private const int MostAtOnce = 100;

    private string Table => database.Tables.Runs;

    public async Task<int> SweepAsync(DateTimeOffset chunksBefore, DateTimeOffset endedBefore, RunRemoval? removing, CancellationToken ct)
    {
        var swept = 0;
        for (var shard = 0; shard < RunKeys.Shards; shard++)
        {
            await SweepChunksAsync(RunKeys.Due(DueKinds.Chunk, shard), RunKeys.At(chunksBefore), ct);
            await SweepStagedAsync(RunKeys.Due(DueKinds.Staged, shard), RunKeys.At(database.Time.GetUtcNow()), ct);
            swept += await SweepRunsAsync(RunKeys.Due(DueKinds.Ended, shard), endedBefore, removing, ct);
        }

        return swept;
    }

    private async Task SweepChunksAsync(string due, string before, CancellationToken ct)
    {
        // An index may show for a moment what was just removed; a page that is not full is the last.
        while (await lists.DueAsync(due, before, MostAtOnce, ct) is { Count: > 0 } old)
        {
            await database.DeleteAsync(Table, Keys(old), ct);
            if (old.Count < MostAtOnce) return;
        }
    }

    private async Task SweepStagedAsync(string due, string before, CancellationToken ct)
    {
        foreach (var mark in await lists.DueAsync(due, before, MostAtOnce, ct)) await journals.DropAsync(mark.Text("pk"), ct);
    }

    private async Task<int> SweepRunsAsync(string due, DateTimeOffset before, RunRemoval? removing, CancellationToken ct)
    {
        var swept = 0;
        while (true)
        {
            var ended = await lists.DueAsync(due, RunKeys.At(before), MostAtOnce, ct);
            var gone = 0;
            foreach (var key in Keys(ended)) gone += await SweepAsync(key, before, removing, ct) ? 1 : 0;
            swept += gone;
            if (gone == 0 || ended.Count < MostAtOnce) return swept;
        }
    }

    private async Task<bool> SweepAsync(Item key, DateTimeOffset before, RunRemoval? removing, CancellationToken ct)
    {
        var values = new Item().Set(":ended", (long)RunStatus.Completed).Set(":before", RunItem.Time(before)).Set(":gone", true);
        var (changed, head) = await database.ChangeAsync(Table, key, SetGone, HasEnded, values, ct);
        // One that somebody sent on meanwhile, or that is removed already.
        if (!changed && !head.Has("gone")) return false;
        var run = RunItem.Read(head);
        if (removing is not null) await removing(run.Tenant, run.Id, ct);
        await journals.DropAsync(RunKeys.Chunks(run.Tenant, run.Id), ct);
        if (head.TextOrNull("first") is { } token) await journals.DropAsync(RunKeys.First(run.Tenant, run.Id, token), ct);
        await journals.DropAsync(RunKeys.Run(run.Tenant, run.Id), ct, but: RunKeys.Head);
        await database.DeleteAsync(Table, [.. RunLists.Items(run).Select(item => Item.Key(item.Text("pk"), item.Text("sk")))], ct);
        return await database.DeleteAsync(Table, key, IsGone, null, ct);
    }

    private static Item[] Keys(IEnumerable<Item> items) => [.. items.Select(item => Item.Key(item.Text("pk"), item.Text("sk")))];
}
