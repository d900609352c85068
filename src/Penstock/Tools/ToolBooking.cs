using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Tools;

/// <summary>Tools with a price: it is held on every budget before the call, and booked once after it.</summary>
internal sealed class ToolBooking(Holds holds, IdSource ids, TimeProvider time)
{
    private const string Operation = "tool";
    private const string PriceVersion = "configured";

    /// <summary>Booking outlives the caller's token; it must not hang either.</summary>
    private static readonly TimeSpan BookingTime = TimeSpan.FromSeconds(30);

    /// <summary>Throws 402 where a budget does not cover the price. Null where the tool has none.</summary>
    public async ValueTask<LedgerRow?> ReserveAsync(ToolCall call, ToolSpec tool, string route, CancellationToken ct)
    {
        if (tool.Cost is not { } price || price == Money.Zero) return null;
        var row = new LedgerRow
        {
            Tenant = call.Caller.Tenant,
            Attempt = ids.NextAttempt(),
            Request = call.Request,
            Project = call.Caller.Project,
            Key = call.Caller.Key.Id,
            At = time.GetUtcNow(),
            Operation = Operation,
            Route = route,
            Provider = ToolNames.Of(tool.Kind),
            RequestedModel = tool.Name,
            Model = tool.Name,
            Tokens = default,
            Cost = price,
            PriceVersion = PriceVersion,
            Outcome = AttemptOutcome.Unknown,
            LatencyMs = 0,
            Run = call.Caller.Run,
        };
        await holds.ReserveAsync(call.Caller, row, new Need(price, price), ct);
        return row;
    }

    /// <param name="error">Code of the refusal; null where it answered.</param>
    /// <param name="free">True where the tool surely did nothing. What is not known is not refunded.</param>
    public async Task<Money> SettleAsync(LedgerRow? row, string? error, bool free, TimeSpan elapsed)
    {
        if (row is null) return Money.Zero;
        using var timeout = new CancellationTokenSource(BookingTime, time);
        var booked = row with
        {
            Cost = free ? Money.Zero : row.Cost,
            Outcome = error is null ? AttemptOutcome.Completed : AttemptOutcome.ProviderFailed,
            Error = error,
            LatencyMs = (int)elapsed.TotalMilliseconds,
        };
        await holds.SettleAsync(booked, timeout.Token);
        return booked.Cost;
    }
}
