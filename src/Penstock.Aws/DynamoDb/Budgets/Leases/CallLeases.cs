using System.Collections.Concurrent;
using System.Globalization;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets.Leases;

/// <summary>
/// Calls of one kind that come many a second share a hold, the slice, so that their budgets are written a few times a second and not for each of them.
/// <code>
/// 1 A slice is taken as any reservation is, under the same conditions, and is held money from then on: no cap is passed by what is admitted from it.
/// 2 A call is admitted from it in memory, once the version of the budgets was read and is that of the slice: a change is in force for the next call.
/// 3 Calls end in batches. A settle is answered when the batch it is in is durable; each batch takes what was kept for its calls from the slice.
/// 4 What is free of a slice goes back when it was open for a second, when it is not enough for a call, or when a call would be refused without it.
/// 5 Where the node dies the sweeper books what is left of the slice as spent, outcome unknown, as it does with any hold.
/// </code>
/// Near a cap no slices are taken, and every call is reserved for alone.
/// </summary>
internal sealed class CallLeases(DynamoDatabase database, Definitions definitions, Reservations reservations, SliceBooking booking, Booking late, LeaseOptions options)
{
    private const int MostKinds = 20_000;
    private const int MostTries = 8;
    private const int LeastCalls = 8;

    private readonly ConcurrentDictionary<SliceKey, Demand> _demands = new();
    private readonly ConcurrentDictionary<AttemptId, Slice> _slices = new();
    private readonly ConcurrentDictionary<(TenantId, AttemptId), Lease> _leases = new();

    public LeaseOptions Options => options;

    public TimeProvider Time => database.Time;

    public Patience NewPatience() => new(this, options, database.Time);

    /// <summary>Null where the call is to be reserved for alone.</summary>
    public async Task<Reservation?> ReserveAsync(HoldRequest request, CancellationToken ct)
    {
        var row = request.Unsettled;
        if (_leases.ContainsKey((row.Tenant, row.Attempt))) throw Twice(row);
        // A run's envelope is small, and its calls come one after another.
        if (row.Run is { Length: > 0 } || request.Wanted <= Money.Zero) return null;
        var set = await definitions.OfAsync(row.Tenant, ct);
        var accounts = set.Over(BudgetScope.Over(row), request.Implied, row.At);
        var demand = DemandFor(KeyOf(row, accounts));
        if (demand.Count() < options.FromCalls || demand.IsOff) return null;
        // The version shows any change that was written before this call came.
        if (!await definitions.IsCurrentAsync(row.Tenant, set, row.Attempt.Value, ct)) return null;

        for (var tries = 0; tries < MostTries; tries++)
        {
            if (demand.Slice is { } slice && !IsDue(slice) && slice.Take(request, set.Version, database.NewToken()) is { } lease)
            {
                if (!_leases.TryAdd((row.Tenant, row.Attempt), lease)) throw Twice(row);
                return new Reservation(request.Wanted, slice.Budgets, null);
            }

            if (!await RenewAsync(demand, request, set, accounts, ct)) return null;
        }

        return null;
    }

    /// <summary>Null where the attempt was not admitted from a slice of this node.</summary>
    public async Task<bool?> SettleAsync(LedgerRow row, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (!_leases.TryGetValue((row.Tenant, row.Attempt), out var lease)) return null;
        // Two at once: the second changed nothing, if the first did.
        if (lease.Begin() is { } other) return await other ? false : await SettleAsync(row, ct);
        var isBooked = false;
        try
        {
            var line = Line.Settle(lease, row);
            lease.Slice.AddEnd(line);
            await WriteAsync(lease.Slice, line);
            var end = await line.End;
            var first = end == LineEnd.Booked || (end == LineEnd.Gone && await SettleLateAsync(lease, row));
            _leases.TryRemove((row.Tenant, row.Attempt), out _);
            return isBooked = first;
        }
        finally
        {
            lease.End(isBooked);
        }
    }

    public bool AnyOn(IReadOnlyList<string> accounts) => _slices.Values.Any(slice => !slice.IsOver && slice.LiesOn(accounts) && (!slice.IsClosed || slice.HasLines));

    /// <summary>Gives back what is free of this node's slices on the accounts.</summary>
    public Task ReturnAsync(IReadOnlyList<string> accounts) => ReturnAsync(slice => slice.LiesOn(accounts));

    /// <summary>Gives back what is free of slices that were open for long enough.</summary>
    public Task ReturnDueAsync()
    {
        foreach (var (key, demand) in _demands)
        {
            if (demand is { IsIdle: true, Slice: null or { IsClosed: true } }) _demands.TryRemove(key, out _);
        }

        return ReturnAsync(slice => slice.IsClosed || IsDue(slice));
    }

    private bool IsDue(Slice slice) => database.Time.GetElapsedTime(slice.OpenedAt) >= options.OpenFor;

    /// <summary>Gives back all that is free.</summary>
    public Task ReturnAllAsync() => ReturnAsync(_ => true);

    private async Task ReturnAsync(Func<Slice, bool> which)
    {
        var slices = _slices.Values.Where(which).ToList();
        foreach (var slice in slices) slice.Close();
        await Task.WhenAll(slices.Where(slice => slice.HasLines).Select(slice => WriteAsync(slice, null)));
        foreach (var slice in slices.Where(slice => slice is { IsOver: true, HasLines: false })) _slices.TryRemove(slice.Id, out _);
    }

    private Demand DemandFor(SliceKey key)
    {
        if (_demands.Count >= MostKinds) _demands.Clear();
        return _demands.GetOrAdd(key, static (_, time) => new Demand(time), database.Time);
    }

    private static SliceKey KeyOf(LedgerRow row, List<Account> accounts) => new(
        row.Tenant,
        row.Project,
        row.Key,
        row.Model,
        row.EndUser,
        Tiles.Floor(row.At.ToUnixTimeMilliseconds(), Grain.Quarter),
        string.Join('|', accounts.Select(account => string.Create(CultureInfo.InvariantCulture, $"{account.Id}={account.Budget.Limit.NanoDollars}{(account.Budget.Hard ? "!" : "")}"))));

    /// <summary>One caller takes the next slice, and the others wait for it. False where there is none to be had.</summary>
    private async Task<bool> RenewAsync(Demand demand, HoldRequest request, BudgetSet set, List<Account> accounts, CancellationToken ct)
    {
        var known = demand.Slice;
        await demand.Taking.WaitAsync(ct);
        try
        {
            if (demand.IsOff) return false;
            if (demand.Slice != known) return true;
            known?.Close();
            var slice = await TakeAsync(request, set, accounts, demand);
            demand.Slice = slice;
            if (slice is null) demand.TurnOff(options.OpenFor);
            return slice is not null;
        }
        finally
        {
            demand.Taking.Release();
        }
    }

    /// <summary>Not cut short when its caller leaves: others wait for it, and what it holds must be known.</summary>
    private async Task<Slice?> TakeAsync(HoldRequest request, BudgetSet set, List<Account> accounts, Demand demand)
    {
        var (now, wanted) = (database.Time, request.Wanted.NanoDollars);
        var openedAt = now.GetTimestamp();
        var row = request.Unsettled with { Attempt = new AttemptId($"slice_{database.NewToken()}"), Conversation = null, Template = null, Decision = null };
        var asked = request with { Unsettled = row, ExpiresAt = request.ExpiresAt + (2 * options.OpenFor) };
        Money Size(Money? left)
        {
            // Twice what came within a second, because more may be coming.
            var most = checked(wanted * Math.Clamp(2 * demand.Rate, LeastCalls, options.MostCalls));
            var part = left is { } rest ? Math.Max(0, rest.NanoDollars / options.PartOfRest) : long.MaxValue;
            return Math.Min(most, part) is var amount && amount >= wanted * LeastCalls ? new Money(amount) : Money.Zero;
        }

        var until = (now.GetUtcNow() + options.OpenFor).ToUnixTimeMilliseconds();
        try
        {
            if (await reservations.TakeAsync(asked, set, accounts, Size, until, CancellationToken.None) is not { } taken) return null;
            return _slices[taken.Hold.Attempt] = new Slice(taken.Hold, row, set.Version, openedAt, taken.Budgets);
        }
        catch (DynamoBusyException)
        {
            // Written all the same, it goes back.
            if (await database.GetAsync(database.Tables.Ledger, LedgerKeys.Hold(row.Tenant, row.Attempt), CancellationToken.None) is { } hold)
                (_slices[row.Attempt] = new Slice(HoldItems.Read(hold), row, set.Version, openedAt, [])).Close();
            return null;
        }
    }

    /// <summary>
    /// Enters the slice's writing, in which whoever is in writes for all who wait. Returns when the line has ended, or where there is none, when the lines
    /// that there were have.
    /// </summary>
    private async Task WriteAsync(Slice slice, Line? line)
    {
        // Whoever leaves meanwhile has asked for its line to be written.
        await slice.Writing.WaitAsync(CancellationToken.None);
        try
        {
            if (line is { End.IsCompleted: false } && slice.IsWorthGathering(SliceBooking.MostLines)) await Task.Delay(options.GatherFor, database.Time, CancellationToken.None);
            while (line is null or { End.IsCompleted: false } && slice.Next(SliceBooking.MostLines) is { Count: > 0 } lines) await WriteLinesAsync(slice, lines);
        }
        finally
        {
            slice.Writing.Release();
        }
    }

    private async Task WriteLinesAsync(Slice slice, List<Line> lines)
    {
        try
        {
            while (lines.Count > 0) await booking.BookAsync(slice, lines, CancellationToken.None);
        }
        catch (Exception e)
        {
            foreach (var left in lines)
            {
                // What goes back is tried again; a call is its caller's to settle again.
                if (left.Lease is null) slice.Add(left);
                else
                {
                    slice.RunsOn();
                    left.Failed(e);
                }
            }

            if (lines.TrueForAll(left => left.Lease is null)) throw;
        }
    }

    /// <summary>
    /// The slice was booked by the sweeper, with what was kept for this call. Its cost is booked beside that first, and then what was kept is taken off: a
    /// node that dies in between leaves too much, and never too little.
    /// </summary>
    private async Task<bool> SettleLateAsync(Lease lease, LedgerRow row)
    {
        var slice = lease.Slice;
        var (result, _) = await late.BookAsync(new Posting(LedgerEntryKind.Settle, lease.Keep(row), null, []), CancellationToken.None);
        if (result != Booked.Yes) return false;
        if (await database.GetAsync(database.Tables.Ledger, EntryItem.Key(slice.Tenant, slice.Id, LedgerKeys.Close), CancellationToken.None) is not { } expired) return true;
        var correction = RowItem.Read(expired) with { Cost = Money.Zero - lease.Amount };
        await late.BookAsync(new Posting(LedgerEntryKind.Adjust, correction, null, expired.Texts("accounts")) { Step = $"{LedgerKeys.Adjust}#{row.Attempt.Value}" }, CancellationToken.None);
        return true;
    }

    private static InvalidOperationException Twice(LedgerRow row) => new($"Attempt '{row.Attempt}' is in the ledger already; a reservation needs an attempt of its own.");
}
