namespace Penstock.Aws.DynamoDb.Budgets.Leases;

/// <summary>The calls of one kind on this node: how many come, and the slice that they are admitted from.</summary>
internal sealed class Demand(TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _second = time.GetTimestamp();
    private long _notBefore;
    private int _before;
    private int _now;

    public SemaphoreSlim Taking { get; } = new(1, 1);

    public Slice? Slice { get; set; }

    /// <summary>Notes one more, and says how many came within a second.</summary>
    public int Count()
    {
        lock (_lock)
        {
            var elapsed = time.GetElapsedTime(_second);
            if (elapsed >= TimeSpan.FromSeconds(1)) (_second, _before, _now) = (time.GetTimestamp(), elapsed < TimeSpan.FromSeconds(2) ? _now : 0, 0);
            return Math.Max(_before, ++_now);
        }
    }

    /// <summary>How many came within a second, by now.</summary>
    public int Rate
    {
        get
        {
            lock (_lock) return Math.Max(_before, _now);
        }
    }

    public bool IsIdle
    {
        get
        {
            lock (_lock) return time.GetElapsedTime(_second) > TimeSpan.FromSeconds(3);
        }
    }

    public bool IsOff => time.GetTimestamp() < Interlocked.Read(ref _notBefore);

    /// <summary>There is too little left to take slices of.</summary>
    public void TurnOff(TimeSpan until) => Interlocked.Exchange(ref _notBefore, time.GetTimestamp() + (long)(until.TotalSeconds * time.TimestampFrequency));
}
