using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>How an attempt ends: settled, expired, or corrected after it had expired.</summary>
internal sealed class Settlements(DynamoDatabase database, Booking booking, HoldItems holds)
{
    private const int MostDuePerShard = 125;

    // So many that a sweep after an outage ends soon, and not so many that calls wait for it.
    private const int MostAtOnce = 16;

    public async Task<bool> SettleAsync(LedgerRow row, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var hold = holds.Remembered(row.Tenant, row.Attempt);
        var backoff = new Backoff(database.Time);
        do
        {
            var (result, before) = await booking.BookAsync(Closing(row, hold), ct);
            if (result == Booked.Yes) return true;
            if (result == Booked.Before) return EntryItem.KindOf(before!) == LedgerEntryKind.Expire && await AdjustAsync(row, before!, ct);

            // What was assumed is wrong: look. Where no hold is left, another closed the attempt.
            holds.Forget(row.Tenant, row.Attempt);
            hold = await holds.ReadAsync(row.Tenant, row.Attempt, ct);
            if (hold is not null) continue;
            if (await database.GetAsync(database.Tables.Ledger, EntryItem.Key(row.Tenant, row.Attempt, LedgerKeys.Close), ct) is not { } closed)
            {
                // A call of a slice has one entry only, in the place where a reservation would be.
                if (await database.GetAsync(database.Tables.Ledger, EntryItem.Key(row.Tenant, row.Attempt, LedgerKeys.Reserve), ct) is { } leased && leased.Has("slice")) return false;
                continue;
            }

            return EntryItem.KindOf(closed) == LedgerEntryKind.Expire && await AdjustAsync(row, closed, ct);
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"Attempt '{row.Attempt}' could not be settled. Settle it again.");
    }

    public async Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct)
    {
        var due = await holds.DueAsync(now, MostDuePerShard, ct);
        var expired = 0;
        await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = MostAtOnce, CancellationToken = ct }, async (hold, stop) =>
        {
            if (await ExpireAsync(hold, stop)) Interlocked.Increment(ref expired);
        });
        return expired;
    }

    private async Task<bool> ExpireAsync(Hold found, CancellationToken ct)
    {
        // An index may be behind.
        if (await holds.ReadAsync(found.Tenant, found.Attempt, ct) is not { } hold) return false;
        var reserved = await database.GetAsync(database.Tables.Ledger, EntryItem.Key(hold.Tenant, hold.Attempt, LedgerKeys.Reserve), ct);
        if (reserved is null) return false;
        var row = RowItem.Read(reserved) with
        {
            Cost = hold.Granted,
            Tokens = default,
            Estimated = true,
            Outcome = AttemptOutcome.Unknown,
            LatencyMs = (int)Math.Clamp((hold.ExpiresAt - hold.At).TotalMilliseconds, 0, int.MaxValue),
        };
        return (await booking.BookAsync(new Posting(LedgerEntryKind.Expire, row, hold, []), ct)).Result == Booked.Yes;
    }

    private static Posting Closing(LedgerRow row, Hold? hold) => hold is null
        ? new Posting(LedgerEntryKind.Settle, row, null, [])
        : new Posting(row.Cost == Money.Zero ? LedgerEntryKind.Release : LedgerEntryKind.Settle, hold.Keep(row), hold, []);

    /// <summary>The hold expired and was booked at its ceiling; now it is known what the call cost. The correction lands where the booking did.</summary>
    private async Task<bool> AdjustAsync(LedgerRow row, Item expired, CancellationToken ct)
    {
        var booked = RowItem.Read(expired);
        var correction = row with
        {
            At = booked.At,
            Project = booked.Project,
            Key = booked.Key,
            Model = booked.Model,
            Provider = booked.Provider,
            EndUser = booked.EndUser,
            Conversation = booked.Conversation,
            Run = booked.Run,
            Cost = row.Cost - booked.Cost,
        };
        return (await booking.BookAsync(new Posting(LedgerEntryKind.Adjust, correction, null, expired.Texts("accounts")), ct)).Result == Booked.Yes;
    }
}
