using System.Text;
using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// Entries as items, and how a run is made. Where its first entries fit into one transaction they are written with the head. Where they do not, they are
/// staged in a partition of their own that nobody looks into before the head names it; what a crash leaves there is found by its mark and swept.
/// </summary>
internal sealed class RunJournals(DynamoDatabase database)
{
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string IsThere = "attribute_exists(#pk)";
    private const string InRange = "#pk = :pk AND #sk BETWEEN :from AND :to";
    private const string InPartition = "#pk = :pk";
    private const int MostAtOnce = 80;
    private const int StagedAtOnce = 8;

    // Whoever makes a run is done long before, or dead.
    private static readonly TimeSpan StagedFor = TimeSpan.FromDays(1);

    private string Table => database.Tables.Runs;

    public static Item Write(string partition, JournalEntry entry) => Item.Key(partition, RunKeys.Entry(entry.Seq))
        .Set("seq", entry.Seq)
        .Set("kind", entry.Kind)
        .Set("at", RunItem.Time(entry.At))
        .Set("epoch", entry.Epoch)
        .Set("body", entry.Body);

    /// <summary>False where the id is taken.</summary>
    public async Task<bool> CreateAsync(RunRecord run, IReadOnlyList<JournalEntry> first, CancellationToken ct)
    {
        var token = database.NewToken();
        var apart = first.Count > MostAtOnce || first.Sum(entry => (long)Encoding.UTF8.GetByteCount(entry.Body)) > RunAppend.LargestBodies;
        var partition = apart ? RunKeys.First(run.Tenant, run.Id, token) : RunKeys.Run(run.Tenant, run.Id);
        // All of it before any is written: what is no text is refused here.
        var entries = first.Select(entry => Write(partition, entry)).ToList();
        var head = RunItem.Write(run, first.Count, token, apart ? token : null);
        if (!apart) return await CreateAsync(run, head, entries, null, token, ct);

        if (await database.GetAsync(Table, RunKeys.HeadKey(run.Tenant, run.Id), ct) is not null) return false;
        var mark = Item.Key(partition, RunKeys.Staged);
        await StageAsync(run, entries, mark, ct);
        if (await CreateAsync(run, head, [], mark, token, ct)) return true;
        await DropAsync(partition, ct);
        return false;
    }

    public async Task<IReadOnlyList<JournalEntry>> ReadAsync(TenantId tenant, RunId run, long from, int limit, CancellationToken ct)
    {
        if (limit <= 0) return [];
        var found = await ReadAsync(RunKeys.Run(tenant, run), from, limit, ct);
        if (found.Count > 0 && found[0].Seq <= Math.Max(0, from)) return found;
        if (await database.GetAsync(Table, RunKeys.HeadKey(tenant, run), ct) is not { } head) return found;
        if (head.TextOrNull("first") is not { } token || head.Long("firstCount") <= from) return found;
        var first = await ReadAsync(RunKeys.First(tenant, run, token), from, limit, ct);
        return [.. first, .. found.Take(limit - first.Count)];
    }

    /// <summary>Whether the entries are there, each as it is given.</summary>
    public async Task<bool> HoldsAsync(TenantId tenant, RunId run, IReadOnlyList<JournalEntry> entries, CancellationToken ct)
    {
        var found = await ReadAsync(tenant, run, entries[0].Seq, entries.Count, ct);
        return found.SequenceEqual(entries.Select(entry => entry with { At = RunItem.Kept(entry.At) }));
    }

    /// <summary>Removes a partition with all that is in it, but for one item.</summary>
    public async Task DropAsync(string partition, CancellationToken ct, string? but = null)
    {
        var items = await database.QueryAsync(Table, InPartition, new Item().Set(":pk", partition), ct);
        await database.DeleteAsync(Table, [.. items.Select(item => item.Text("sk")).Where(sk => sk != but).Select(sk => Item.Key(partition, sk))], ct);
    }

    private async Task<bool> CreateAsync(RunRecord run, Item head, List<Item> entries, Item? mark, string token, CancellationToken ct)
    {
        var transaction = new Transaction();
        var index = transaction.Put(Table, head, IsNew);
        foreach (var entry in entries) transaction.Put(Table, entry, IsNew);
        foreach (var listed in RunLists.Items(run)) transaction.Put(Table, listed);
        // What was staged is still there.
        if (mark is not null) transaction.Delete(Table, mark, IsThere);
        var outcome = await database.WriteAsync(
            transaction,
            async () => (await database.GetAsync(Table, RunKeys.HeadKey(run.Tenant, run.Id), ct))?.TextOrNull("by") == token,
            ct);
        if (outcome.Written) return true;
        if (!outcome.Refused.TryGetValue(index, out var before)) throw new DynamoBusyException($"Run '{run.Id}' could not be made in the time there is. Try again.");
        // With this token it was written, and the answer lost.
        return before?.TextOrNull("by") == token;
    }

    private async Task StageAsync(RunRecord run, List<Item> entries, Item mark, CancellationToken ct)
    {
        var due = mark.Copy().Set("due", RunKeys.Due(DueKinds.Staged, run.Id)).Set("dueKey", RunKeys.At(database.Time.GetUtcNow() + StagedFor, run.Id))
            .Set("tenant", run.Tenant.Value).Set("run", run.Id.Value);
        await database.PutAsync(Table, due, ct);
        foreach (var some in entries.Chunk(StagedAtOnce)) await Task.WhenAll(some.Select(entry => database.PutAsync(Table, entry, ct)));
    }

    private async Task<List<JournalEntry>> ReadAsync(string partition, long from, int limit, CancellationToken ct)
    {
        var values = new Item().Set(":pk", partition).Set(":from", RunKeys.Entry(Math.Max(0, from))).Set(":to", RunKeys.AfterEntries);
        var items = await database.QueryAsync(Table, InRange, values, ct, limit: limit);
        return items.ConvertAll(item => new JournalEntry(item.Long("seq"), item.Text("kind"), RunItem.Time(item.Long("at")), item.Long("epoch"), item.Text("body")));
    }
}
