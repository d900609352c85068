using Penstock.Aws.DynamoDb.Budgets.Leases;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>
/// Holds money on every budget over a call. It reads the balances, which says how much may be granted and what the answer shows, and then writes once; the
/// write's conditions decide, whatever was read.
/// </summary>
internal sealed class Reservations(DynamoDatabase database, Definitions definitions, Balances balances, Openings openings, Books books)
{
    /// <param name="patience">Asked before a call is given less than it wants; null where nothing comes back that is worth waiting for.</param>
    public async Task<Reservation> ReserveAsync(HoldRequest request, Patience? patience, CancellationToken ct)
    {
        var token = database.NewToken();
        var backoff = new Backoff(database.Time);
        do
        {
            while (true)
            {
                var (reservation, waits) = await TryAsync(request, token, patience, ct);
                if (reservation is not null) return reservation;
                if (!waits) break;
                // Outside of the lanes: what comes back needs them.
                await patience!.WaitAsync(ct);
            }
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"Nothing could be reserved for attempt '{request.Unsettled.Attempt}': too many others reserve on the same budgets. Try again.");
    }

    /// <summary>Takes a slice: what <paramref name="size"/> makes of the room that is left, if anything. Null where there is none to have now.</summary>
    /// <param name="request">Of the slice, as if it were one call.</param>
    /// <param name="leasedUntil">Until when it is open, Unix milliseconds.</param>
    public async Task<(Hold Hold, IReadOnlyList<BudgetStatus> Budgets)?> TakeAsync(HoldRequest request, BudgetSet set, List<Account> accounts, Func<Money?, Money> size, long leasedUntil, CancellationToken ct)
    {
        using var lanes = await books.Ledger.Lanes.EnterAsync(accounts.Select(account => account.Id), ct);
        var standing = await openings.EnsureAsync(accounts, ct);
        var statuses = accounts.Select((account, i) => standing[i].Of(account)).ToList();
        var hard = statuses.Where(status => status.Budget.Hard).ToList();
        var amount = size(hard.Count == 0 ? null : hard.Min(status => status.Remaining));
        if (amount <= Money.Zero) return null;
        foreach (var balance in standing) books.Ledger.Numbers.Observe(balance.Number);
        var until = standing.Select(balance => balance.LeasedUntil).Append(leasedUntil).Max();
        return await WriteAsync(request, set, accounts, amount, database.NewToken(), until, ct) is { } hold
            ? (hold, [.. statuses.Select(status => status with { Held = status.Held + amount })])
            : null;
    }

    private async Task<(Reservation? Reservation, bool Waits)> TryAsync(HoldRequest request, string token, Patience? patience, CancellationToken ct)
    {
        var row = request.Unsettled;
        var set = await definitions.OfAsync(row.Tenant, ct);
        var accounts = set.Over(BudgetScope.Over(row), request.Implied, row.At);
        using var lanes = await books.Ledger.Lanes.EnterAsync(accounts.Select(account => account.Id), ct);
        var standing = await openings.EnsureAsync(accounts, ct);
        var statuses = accounts.Select((account, i) => standing[i].Of(account)).ToList();
        var (granted, tightest) = Grant(request, statuses);
        if (granted < request.Wanted && patience is not null && patience.IsWorth(request.Wanted, accounts, standing)) return (null, true);
        if (granted < request.Least)
        {
            // A limit may have been raised by another node; a grant would find out, a refusal must look.
            if (!await definitions.IsCurrentAsync(row.Tenant, set, row.Attempt.Value, ct)) return (null, false);
            for (var i = 0; i < accounts.Count; i++) await books.Ledger.Thresholds.RaiseRefusedAsync(accounts[i], statuses[i], standing[i], request.Least, row.At, ct);
            return (new Reservation(null, statuses, tightest), false);
        }

        foreach (var balance in standing) books.Ledger.Numbers.Observe(balance.Number);
        if (await WriteAsync(request, set, accounts, granted, token, leasedUntil: null, ct) is not { } hold) return (null, false);
        books.Holds.Remember(hold);
        return (new Reservation(granted, [.. statuses.Select(status => status with { Held = status.Held + granted })], null), false);
    }

    private static (Money Granted, BudgetStatus? Tightest) Grant(HoldRequest request, IReadOnlyList<BudgetStatus> statuses)
    {
        var tightest = statuses.Where(status => status.Budget.Hard).MinBy(status => status.Remaining);
        return (tightest is not null && tightest.Remaining < request.Wanted ? tightest.Remaining : request.Wanted, tightest);
    }

    /// <summary>Null where it must be tried again with what is known then.</summary>
    private async Task<Hold?> WriteAsync(HoldRequest request, BudgetSet set, List<Account> accounts, Money granted, string token, long? leasedUntil, CancellationToken ct)
    {
        var row = request.Unsettled;
        var transaction = new Transaction();
        var number = books.Ledger.Numbers.Next();
        var version = definitions.Check(transaction, row.Tenant, set, row.Attempt.Value);
        foreach (var account in accounts) balances.Reserve(transaction, account, granted, number, leasedUntil);
        var reserve = new LedgerEntry(number, LedgerEntryKind.Reserve, row with { Cost = Money.Zero }, granted, Money.Zero);
        var entry = transaction.Put(database.Tables.Ledger, EntryItem.Write(reserve, token, slice: leasedUntil is null ? null : row.Attempt), EntryItem.IsFirst);
        var hold = new Hold(row.Tenant, row.Attempt, granted, row.At, request.ExpiresAt, row.Project, row.Key, row.Model, row.EndUser, row.Run, [.. accounts.Select(account => account.Id)], 0);
        books.Holds.Put(transaction, hold);

        var outcome = await database.WriteAsync(transaction, database.NewToken(), ct);
        if (outcome.Refused.TryGetValue(entry, out var before) && before?.TextOrNull("token") != token)
            throw new InvalidOperationException($"Attempt '{row.Attempt}' is in the ledger already; a reservation needs an attempt of its own.");
        if (outcome.RefusedAt(version)) definitions.Forget(row.Tenant);
        return outcome.Written || before is not null ? hold : null;
    }
}
