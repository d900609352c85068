using Penstock.Jobs;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Jobs;

/// <summary>Jobs in DynamoDB. A change is one conditional write of the head; where its answer is lost, what is there says whether it was made.</summary>
internal sealed class DynamoJobStore(DynamoDatabase database) : IJobStore
{
    private const int Page = 100;
    private const int DroppedAtOnce = 100;

    private const string IsNew = "attribute_not_exists(#pk)";
    private const string IsAt = "#version = :version AND attribute_not_exists(#gone)";
    private const string IsPast = "#keepUntil <= :now";
    private const string IsGone = "attribute_exists(#gone)";
    private const string SetGone = "SET #gone = :gone";
    private const string Before = "#pk = :pk AND #sk < :before";
    private const string IsDue = "#due = :due AND #dueKey < :before";

    private readonly JobPieces _pieces = new(database);

    private string Table => database.Tables.Jobs;

    public async Task<bool> AddAsync(JobRecord job, ReadOnlyMemory<byte> request, CancellationToken ct)
    {
        var (partition, token, count) = (JobItem.Partition(job.Tenant, job.Id), database.NewToken(), JobPieces.Count(request.Length));
        await _pieces.WriteAsync(partition, token, request, ct);
        var add = new Transaction();
        add.Put(Table, JobItem.Write(job).Set("asked", token).Set("askedIn", count), IsNew);
        add.Put(Table, JobItem.ListKey(job).Set("job", job.Id.Value).Set("project", job.Project.Value));
        if ((await database.WriteAsync(add, async () => await HeadAsync(job.Tenant, job.Id, ct) is { } head && head.Text("asked") == token, ct)).Written) return true;
        await _pieces.DropAsync(partition, token, count, ct);
        return false;
    }

    public async Task<JobRecord?> GetAsync(TenantId tenant, JobId id, CancellationToken ct) => JobItem.ReadOrNull(await HeadAsync(tenant, id, ct));

    public async Task<ReadOnlyMemory<byte>?> RequestAsync(TenantId tenant, JobId id, CancellationToken ct) => await BodyAsync(tenant, id, "asked", ct);

    public async Task<ReadOnlyMemory<byte>?> ResultAsync(TenantId tenant, JobId id, CancellationToken ct) => await BodyAsync(tenant, id, "answered", ct);

    public async Task<bool> ChangeAsync(JobRecord job, ReadOnlyMemory<byte>? result, CancellationToken ct)
    {
        var (partition, token) = (JobItem.Partition(job.Tenant, job.Id), database.NewToken());
        if (result is { } body) await _pieces.WriteAsync(partition, token, body, ct);
        var values = JobItem.Change(new Item().Set(":version", job.Version).Set(":next", job.Version + 1).Set(":by", token), ":", job);
        if (result is { } answer) values.Set(":answered", token).Set(":answeredIn", JobPieces.Count(answer.Length));
        var refused = await database.UpdateAsync(Table, JobItem.HeadKey(job.Tenant, job.Id), ChangeOf(values, result is not null), IsAt, values, ct);
        // The token is this change's alone: it was made, and the answer lost.
        if (refused is null || refused.TextOrNull("by") == token) return true;
        if (result is { } unwanted) await _pieces.DropAsync(partition, token, JobPieces.Count(unwanted.Length), ct);
        return false;
    }

    public async Task<IReadOnlyList<JobRecord>> ListAsync(TenantId tenant, JobQuery query, CancellationToken ct)
    {
        var found = new List<JobRecord>();
        // Past every time there is.
        var before = query.After is { } after ? JobItem.At(after.CreatedAt, after.Id) : ":";
        while (found.Count < query.Limit)
        {
            var page = await database.QueryAsync(Table, Before, new Item().Set(":pk", JobItem.List(tenant)).Set(":before", before), ct, limit: Math.Max(Page, query.Limit - found.Count), newestFirst: true);
            if (page.Count == 0) break;
            var keys = page.Where(item => query.Project is not { } project || item.Text("project") == project.Value).Select(item => JobItem.HeadKey(tenant, new JobId(item.Text("job"))));
            var jobs = await HeadsAsync([.. keys], ct);
            found.AddRange(jobs.Where(job => query.State is not { } state || job.State == state).OrderByDescending(job => JobItem.At(job.CreatedAt, job.Id), StringComparer.Ordinal).Take(query.Limit - found.Count));
            before = page[^1].Text("sk");
        }

        return found;
    }

    public async Task<IReadOnlyList<JobRecord>> StaleAsync(DateTimeOffset before, int limit, CancellationToken ct)
    {
        var due = (await Task.WhenAll(Enumerable.Range(0, JobItem.Shards).Select(shard => DueAsync(JobItem.Open, shard, JobItem.At(before), limit, ct)))).SelectMany(items => items);
        var jobs = await HeadsAsync([.. due.OrderBy(item => item.Text("dueKey"), StringComparer.Ordinal).Take(limit).Select(KeyOf)], ct);
        // The index follows within moments: the heads say what is so.
        return [.. jobs.Where(job => job.UpdatedAt < before && (!job.Ended || job.Hook == JobHook.Pending)).OrderBy(job => job.UpdatedAt)];
    }

    public async Task<int> DropAsync(DateTimeOffset now, CancellationToken ct)
    {
        var dropped = 0;
        for (var shard = 0; shard < JobItem.Shards; shard++)
        {
            foreach (var item in await DueAsync(JobItem.Ended, shard, JobItem.After(now), DroppedAtOnce, ct)) dropped += await DropAsync(KeyOf(item), now, ct) ? 1 : 0;
        }

        return dropped;
    }

    /// <summary>Its head is marked first, so that nobody sees a part of it, and goes last, so that what a crash leaves is found again.</summary>
    private async Task<bool> DropAsync(Item key, DateTimeOffset now, CancellationToken ct)
    {
        var (changed, head) = await database.ChangeAsync(Table, key, SetGone, IsPast, new Item().Set(":now", now.ToUnixTimeMilliseconds()).Set(":gone", true), ct);
        if (!changed) return false;
        var job = JobItem.Read(head);
        var partition = JobItem.Partition(job.Tenant, job.Id);
        await _pieces.DropAsync(partition, head.Text("asked"), (int)head.Long("askedIn"), ct);
        if (head.TextOrNull("answered") is { } token) await _pieces.DropAsync(partition, token, (int)head.Long("answeredIn"), ct);
        await database.DeleteAsync(Table, [JobItem.ListKey(job)], ct);
        return await database.DeleteAsync(Table, key, IsGone, null, ct);
    }

    /// <summary>Sets what is given and removes what is not.</summary>
    private static string ChangeOf(Item values, bool answered)
    {
        var set = JobItem.Changing.Where(name => values.Has($":{name}")).Select(name => $"#{name} = :{name}").Concat(answered ? ["#answered = :answered", "#answeredIn = :answeredIn"] : []);
        var remove = JobItem.Changing.Where(name => !values.Has($":{name}")).Select(name => $"#{name}").ToList();
        var update = $"SET #version = :next, #by = :by, {string.Join(", ", set)}";
        return remove.Count == 0 ? update : $"{update} REMOVE {string.Join(", ", remove)}";
    }

    private Task<Item?> HeadAsync(TenantId tenant, JobId id, CancellationToken ct) => database.GetAsync(Table, JobItem.HeadKey(tenant, id), ct);

    private async Task<ReadOnlyMemory<byte>?> BodyAsync(TenantId tenant, JobId id, string name, CancellationToken ct)
    {
        if (await HeadAsync(tenant, id, ct) is not { } head || head.Has("gone") || head.TextOrNull(name) is not { } token) return null;
        return await _pieces.ReadAsync(JobItem.Partition(tenant, id), token, (int)head.Long($"{name}In"), ct);
    }

    private Task<List<Item>> DueAsync(string what, int shard, string before, int limit, CancellationToken ct) =>
        database.QueryAsync(Table, IsDue, new Item().Set(":due", JobItem.Due(what, shard)).Set(":before", before), ct, DynamoTables.ByDue, limit);

    private async Task<IEnumerable<JobRecord>> HeadsAsync(IReadOnlyCollection<Item> keys, CancellationToken ct) =>
        keys.Count == 0 ? [] : (await database.GetAsync(Table, keys, ct)).Select(JobItem.ReadOrNull).OfType<JobRecord>();

    private static Item KeyOf(Item item) => Item.Key(item.Text("pk"), item.Text("sk"));
}
