namespace Penstock.Aws.DynamoDb.Ledger;

/// <summary>
/// Lets one writer of this process at a time to an item that many write. Two transactions on one item cancel one another, and both pay; within a process
/// they can as well queue. Between processes only the store's conditions hold, and they suffice: lanes are for speed, not for safety.
/// </summary>
internal sealed class Lanes
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Lane> _lanes = [];

    /// <summary>Enters all of them; disposing leaves. Taken in one order, so that two never wait for each other.</summary>
    public async ValueTask<IDisposable> EnterAsync(IEnumerable<string> names, CancellationToken ct)
    {
        var entered = new Entered(this);
        try
        {
            foreach (var name in names.Distinct().Order(StringComparer.Ordinal))
            {
                var lane = Join(name);
                try
                {
                    await lane.Free.WaitAsync(ct);
                }
                catch
                {
                    Leave(name, lane, wasIn: false);
                    throw;
                }

                entered.Add(name, lane);
            }
        }
        catch
        {
            entered.Dispose();
            throw;
        }

        return entered;
    }

    private Lane Join(string name)
    {
        lock (_lock)
        {
            if (!_lanes.TryGetValue(name, out var lane)) _lanes[name] = lane = new Lane();
            lane.Users++;
            return lane;
        }
    }

    private void Leave(string name, Lane lane, bool wasIn)
    {
        if (wasIn) lane.Free.Release();
        lock (_lock)
        {
            if (--lane.Users > 0) return;
            _lanes.Remove(name);
            lane.Free.Dispose();
        }
    }

    private sealed class Lane
    {
        public SemaphoreSlim Free { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private sealed class Entered(Lanes lanes) : IDisposable
    {
        private readonly List<(string Name, Lane Lane)> _in = [];

        public void Add(string name, Lane lane) => _in.Add((name, lane));

        public void Dispose()
        {
            foreach (var (name, lane) in _in) lanes.Leave(name, lane, wasIn: true);
            _in.Clear();
        }
    }
}
