using Penstock.Limits;

namespace Penstock.Aws.DynamoDb.Limits;

/// <summary>
/// Limits that nodes share. What a request takes is written by one conditional write, or by one transaction where there are several; a refusal writes nothing.
/// No condition is about what another request may have changed as long as there is enough for both, so that many at once seldom have to try again.
/// </summary>
/// <remarks>Nodes compare their own clocks: one that is ahead or behind gives or withholds what refills in that time, and no more.</remarks>
internal sealed class DynamoLimitStore(DynamoDatabase database, TimeProvider time) : ILimitStore
{
    public async ValueTask<LimitDecision> TakeAsync(LimitRequest request, CancellationToken ct)
    {
        var buckets = request.Buckets.ToArray().Select(take => new BucketItem(request.Tenant, take)).ToArray();
        var slots = request.Slots.ToArray().Select(take => new SlotItem(request.Tenant, take, request.Lease)).ToArray();
        await ReadAsync([.. buckets, .. slots], ct);
        var backoff = new Backoff(database.Time);
        while (true)
        {
            var now = Now();
            if (Refusing(buckets, slots, now) is { } refusal) return new LimitDecision(refusal.Index, refusal.Wait, [.. buckets.Select(bucket => bucket.LeftAt(now))]);

            foreach (var slot in slots.Where(slot => slot.NeedsPurge)) await PurgeAsync(slot, now, ct);
            ILimitItem[] written = [.. buckets.Where(bucket => bucket.Take.Amount > 0), .. slots];
            var until = now + Nanoseconds.Of(request.LeaseFor);
            if (await WriteAsync([.. written.Select(item => (item, item.TakeAt(now, until)))], ct)) return new LimitDecision(null, TimeSpan.Zero, [.. buckets.Select(bucket => bucket.LeftAt(now) - bucket.Take.Amount)]);
            if (!await backoff.WaitAsync(ct)) throw new DynamoBusyException("A limit changed with every try to take from it. Try again.");
        }
    }

    /// <summary>Each item alone: nothing that comes back depends on another.</summary>
    public async ValueTask ReturnAsync(LimitRequest request, CancellationToken ct)
    {
        var writes = new List<Task>();
        foreach (var take in request.Buckets.ToArray())
        {
            if (take.Amount != 0) writes.Add(ReturnAsync(new BucketItem(request.Tenant, take), ct));
        }

        foreach (var take in request.Slots.ToArray())
        {
            var slot = new SlotItem(request.Tenant, take, request.Lease);
            writes.Add(UpdateAsync(slot, slot.Free(), database.NewToken(), ct));
        }

        await Task.WhenAll(writes);
    }

    private async Task ReturnAsync(BucketItem bucket, CancellationToken ct)
    {
        var backoff = new Backoff(database.Time);
        // One that nobody took from is full: only what is taken from it matters.
        bucket.Seen(null);
        while (true)
        {
            var now = Now();
            var change = bucket.ReturnAt(now);
            var token = database.NewToken();
            var refused = await UpdateAsync(bucket, change, token, ct);
            if (refused is null || bucket.WasWrittenBy(token, refused)) return;
            bucket.Seen(refused);
            if (bucket.Take.Amount > 0 && !bucket.IsThere) return;
            if (!await backoff.WaitAsync(ct)) throw new DynamoBusyException("A limit changed with every try to return to it.");
        }
    }

    private async Task PurgeAsync(SlotItem slot, long now, CancellationToken ct)
    {
        if (slot.Purge(now) is { } purge) await UpdateAsync(slot, purge, database.NewToken(), ct);
        slot.Seen(await database.GetAsync(database.Tables.Limits, slot.Key, ct));
    }

    private async Task ReadAsync(ILimitItem[] items, CancellationToken ct)
    {
        if (items.Length == 1)
        {
            items[0].Seen(await database.GetAsync(database.Tables.Limits, items[0].Key, ct));
            return;
        }

        var found = (await database.GetAsync(database.Tables.Limits, [.. items.Select(item => item.Key)], ct)).ToDictionary(item => item.Text("id"), StringComparer.Ordinal);
        foreach (var item in items) item.Seen(found.GetValueOrDefault(item.Key.Text("id")));
    }

    /// <summary>False where something changed since it was seen; the items know what it is now.</summary>
    private async Task<bool> WriteAsync((ILimitItem Item, Change Change)[] writes, CancellationToken ct)
    {
        if (writes.Length == 0) return true;
        var token = database.NewToken();
        if (writes is [var (only, change)])
        {
            var refused = await UpdateAsync(only, change, token, ct);
            if (refused is null || only.WasWrittenBy(token, refused)) return true;
            only.Seen(refused);
            return false;
        }

        var transaction = new Transaction();
        foreach (var (item, each) in writes) transaction.Update(database.Tables.Limits, item.Key, each.Update, each.Condition, each.Values.Set(":token", token));
        var outcome = await database.WriteAsync(transaction, token, ct);
        foreach (var (index, seen) in outcome.Refused) writes[index].Item.Seen(seen);
        return outcome.Written;
    }

    private Task<Item?> UpdateAsync(ILimitItem item, Change change, string token, CancellationToken ct) =>
        database.UpdateAsync(database.Tables.Limits, item.Key, change.Update, change.Condition, change.Values.Set(":token", token), ct);

    private long Now() => Nanoseconds.Of(time.GetUtcNow() - DateTimeOffset.UnixEpoch);

    /// <summary>The bucket that needs longest, else the first slot.</summary>
    private static (int Index, TimeSpan Wait)? Refusing(BucketItem[] buckets, SlotItem[] slots, long now)
    {
        (int Index, TimeSpan Wait)? refusing = null;
        for (var i = 0; i < buckets.Length; i++)
        {
            var wait = buckets[i].WaitAt(now);
            if (wait > (refusing?.Wait ?? TimeSpan.Zero)) refusing = (i, wait);
        }

        if (refusing is not null) return refusing;
        var full = Array.FindIndex(slots, slot => !slot.HasRoomAt(now));
        return full < 0 ? null : (buckets.Length + full, TimeSpan.Zero);
    }
}
