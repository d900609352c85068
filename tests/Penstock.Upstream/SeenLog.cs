namespace Penstock.Upstream;

/// <summary>Everything a stand-in received, in order of arrival. Thread-safe.</summary>
public sealed class SeenLog(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, SeenCall> _calls = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _last;

    public int Count
    {
        get
        {
            lock (_lock) return _calls.Count;
        }
    }

    /// <summary>The calls so far, oldest first.</summary>
    public IReadOnlyList<SeenCall> All()
    {
        lock (_lock) return [.. _calls.Values.OrderBy(call => call.Number)];
    }

    public void Clear()
    {
        lock (_lock) _calls.Clear();
    }

    /// <summary>The first call that matches, as soon as there is one; throws <see cref="TimeoutException"/> after <paramref name="within"/>.</summary>
    public async Task<SeenCall> WaitForAsync(Func<SeenCall, bool> match, TimeSpan within, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(within, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ct);
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_calls.Values.OrderBy(call => call.Number).FirstOrDefault(match) is { } found) return found;
                changed = _changed.Task;
            }

            try
            {
                await changed.WaitAsync(either.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                throw new TimeoutException($"No such call within {within}. Seen: {string.Join("; ", All().Select(call => $"{call.Number} {call.Path} {call.Outcome}"))}");
            }
        }
    }

    internal int Add(Func<int, SeenCall> make)
    {
        lock (_lock)
        {
            var number = ++_last;
            _calls[number] = make(number);
            Changed();
            return number;
        }
    }

    /// <summary>Does nothing where the call was cleared meanwhile.</summary>
    internal void Update(int number, Func<SeenCall, SeenCall> change)
    {
        lock (_lock)
        {
            if (!_calls.TryGetValue(number, out var call)) return;
            _calls[number] = change(call);
            Changed();
        }
    }

    private void Changed()
    {
        _changed.TrySetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
