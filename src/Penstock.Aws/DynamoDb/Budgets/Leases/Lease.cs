using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets.Leases;

/// <summary>A call that was admitted from a slice.</summary>
/// <param name="token">By which its entry is known as its own.</param>
internal sealed class Lease(Slice slice, LedgerRow unsettled, Money amount, string token)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource<bool>? _settling;

    public Slice Slice => slice;

    public LedgerRow Unsettled => unsettled;

    public Money Amount => amount;

    public string Token => token;

    /// <summary>Null for the first who settles; who comes after it waits for what comes of that.</summary>
    public Task<bool>? Begin()
    {
        lock (_lock)
        {
            if (_settling is not null) return _settling.Task;
            _settling = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            return null;
        }
    }

    public void End(bool isBooked)
    {
        lock (_lock)
        {
            _settling!.SetResult(isBooked);
            // It may be settled again where it was not.
            if (!isBooked) _settling = null;
        }
    }

    /// <summary>An attempt that held money keeps the time and the scopes of its reservation.</summary>
    public LedgerRow Keep(LedgerRow row) => slice.Names.Keep(row) with { At = unsettled.At };
}

/// <summary>What is to be booked of a slice: a call's end, or what it did not use.</summary>
internal sealed class Line
{
    private readonly TaskCompletionSource<LineEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Line(Lease? lease, LedgerRow? row, Money released, string? step) => (Lease, Row, Released, Step) = (lease, row, released, step);

    /// <summary>Null for what goes back unused.</summary>
    public Lease? Lease { get; }

    public LedgerRow? Row { get; }

    public Money Released { get; }

    /// <summary>Where the entry of what goes back stands.</summary>
    public string? Step { get; }

    /// <summary>How often the number of its row was taken already.</summary>
    public int Collisions { get; set; }

    public Task<LineEnd> End => _end.Task;

    public static Line Settle(Lease lease, LedgerRow row) => new(lease, lease.Keep(row), lease.Amount, null);

    public static Line Return(Money free, int number) => new(null, null, free, $"return#{number}");

    public void Is(LineEnd end) => _end.TrySetResult(end);

    public void Failed(Exception e) => _end.TrySetException(e);
}

internal enum LineEnd
{
    Booked,

    /// <summary>Somebody else has settled the call.</summary>
    Before,

    /// <summary>The slice's hold is gone: the sweeper booked what was left of it.</summary>
    Gone,
}
