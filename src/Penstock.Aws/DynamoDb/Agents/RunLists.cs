using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// Finds runs. Lists and children have items of their own, written with the run: what was made is in the next list. What is due is in an index, which follows
/// within moments; whatever is found, the heads are read as they stand.
/// </summary>
internal sealed class RunLists(DynamoDatabase database)
{
    private const string InPartition = "#pk = :pk";
    private const string Before = "#pk = :pk AND #sk < :before";
    private const string IsDue = "#due = :due AND #dueKey < :before";
    private const int Page = 100;

    private string Table => database.Tables.Runs;

    /// <summary>What a run is found by, beside its head.</summary>
    public static IEnumerable<Item> Items(RunRecord run)
    {
        var key = RunKeys.At(run.CreatedAt, run.Id);
        yield return Item.Key(RunKeys.Runs(run.Tenant), key).Set("run", run.Id.Value).Set("agent", run.Agent).Set("project", run.Project.Value).Set("key", run.Key.Value);
        if (run.Parent is { } parent) yield return Item.Key(RunKeys.Children(run.Tenant, parent), key).Set("run", run.Id.Value);
    }

    public async Task<IReadOnlyList<RunRecord>> NewestAsync(TenantId tenant, RunQuery query, CancellationToken ct)
    {
        var found = new List<RunRecord>();
        var values = new Item().Set(":pk", RunKeys.Runs(tenant));
        // Past every time there is.
        var before = query.After is { } after ? RunKeys.At(after.CreatedAt, after.Run) : ":";
        while (found.Count < query.Limit)
        {
            var page = await database.QueryAsync(Table, Before, values.Copy().Set(":before", before), ct, limit: Math.Max(Page, query.Limit - found.Count), newestFirst: true);
            if (page.Count == 0) break;
            var runs = await HeadsAsync([.. page.Where(item => IsAskedFor(item, query)).Select(item => RunKeys.HeadKey(tenant, new RunId(item.Text("run"))))], ct);
            found.AddRange(runs.Where(run => query.Status is not { } status || run.Status == status)
                .OrderByDescending(run => RunKeys.At(run.CreatedAt, run.Id), StringComparer.Ordinal).Take(query.Limit - found.Count));
            before = page[^1].Text("sk");
        }

        return found;
    }

    public async Task<IReadOnlyList<RunRecord>> ChildrenAsync(TenantId tenant, RunId parent, CancellationToken ct)
    {
        var items = await database.QueryAsync(Table, InPartition, new Item().Set(":pk", RunKeys.Children(tenant, parent)), ct);
        var runs = await HeadsAsync([.. items.Select(item => RunKeys.HeadKey(tenant, new RunId(item.Text("run"))))], ct);
        return [.. runs.OrderBy(run => RunKeys.At(run.CreatedAt, run.Id), StringComparer.Ordinal)];
    }

    public async Task<IReadOnlyList<RunRecord>> OpenAsync(DateTimeOffset now, int limit, CancellationToken ct)
    {
        var shards = Enumerable.Range(0, RunKeys.Shards).SelectMany(shard => new[] { RunKeys.Due(DueKinds.Queued, shard), RunKeys.Due(DueKinds.Open, shard) });
        var due = (await Task.WhenAll(shards.Select(shard => DueAsync(shard, RunKeys.After(now), limit, ct)))).SelectMany(items => items);
        var first = due.OrderBy(item => item.Text("dueKey"), StringComparer.Ordinal).Take(limit).Select(item => Item.Key(item.Text("pk"), item.Text("sk")));
        var runs = await HeadsAsync([.. first], ct);
        return [.. runs.Where(run => !run.Ended && run.WakeAt <= now).OrderBy(run => RunKeys.At(run.WakeAt!.Value, run.Id), StringComparer.Ordinal)];
    }

    public async Task<int> AheadAsync(RunRecord run, CancellationToken ct)
    {
        if (run.WakeAt is not { } wake) return 0;
        var counts = await Task.WhenAll(Enumerable.Range(0, RunKeys.Shards).Select(shard =>
            database.CountAsync(Table, DynamoTables.ByDue, IsDue, new Item().Set(":due", RunKeys.Due(DueKinds.Queued, shard)).Set(":before", RunKeys.At(wake, run.Id)), ct)));
        return counts.Sum();
    }

    /// <summary>Keys of what one partition of the index has before a key.</summary>
    public Task<List<Item>> DueAsync(string due, string before, int limit, CancellationToken ct) =>
        database.QueryAsync(Table, IsDue, new Item().Set(":due", due).Set(":before", before), ct, DynamoTables.ByDue, limit);

    private async Task<IEnumerable<RunRecord>> HeadsAsync(IReadOnlyCollection<Item> keys, CancellationToken ct) =>
        keys.Count == 0 ? [] : (await database.GetAsync(Table, keys, ct)).Select(RunItem.ReadOrNull).OfType<RunRecord>();

    private static bool IsAskedFor(Item item, RunQuery query) =>
        (query.Agent is not { } agent || item.Text("agent") == agent)
        && (query.Project is not { } project || item.Text("project") == project.Value)
        && (query.Key is not { } key || item.Text("key") == key.Value);
}
