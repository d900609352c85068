using Penstock.Contracts;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>Runs everything of a simulation on one thread, one piece after the other; of those that are ready a seed picks the next.</summary>
internal sealed class Pump(SeededSource chance)
{
    /// <summary>A piece may be overtaken by as many as this.</summary>
    private const int Overtakers = 4;

    private readonly Lock _lock = new();
    private readonly List<(Place Place, SendOrPostCallback Do, object? State)> _ready = [];

    /// <summary>Pieces run so far.</summary>
    public long Ran { get; private set; }

    public void Add(Place place, SendOrPostCallback callback, object? state)
    {
        lock (_lock) _ready.Add((place, callback, state));
    }

    /// <summary>Runs until nothing is ready.</summary>
    public void Run()
    {
        var before = SynchronizationContext.Current;
        try
        {
            while (Next() is { } piece)
            {
                Ran++;
                SynchronizationContext.SetSynchronizationContext(new Turn(piece.Place));
                piece.Do(piece.State);
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private (Place Place, SendOrPostCallback Do, object? State)? Next()
    {
        lock (_lock)
        {
            _ready.RemoveAll(static piece => piece.Place.Dead);
            Span<int> awake = stackalloc int[Overtakers];
            var count = 0;
            for (var at = 0; at < _ready.Count && count < Overtakers; at++)
            {
                if (!_ready[at].Place.Asleep) awake[count++] = at;
            }

            if (count == 0) return null;
            var next = awake[chance.Below(count)];
            var piece = _ready[next];
            _ready.RemoveAt(next);
            return piece;
        }
    }
}

/// <summary>
/// A process, as far as a simulation needs one: all that it awaits comes back to it. One that sleeps does nothing until it wakes, and finds all its clocks moved
/// on; one that is dead does nothing more, not even what was to be done in any case.
/// </summary>
internal sealed class Place(Pump pump, string name)
{
    /// <summary>Where this runs.</summary>
    public static Place Current => (SynchronizationContext.Current as Turn)?.Place ?? throw new InvalidOperationException("This runs outside of every place.");

    public string Name => name;

    public bool Dead { get; private set; }

    public bool Asleep { get; private set; }

    public void Die() => Dead = true;

    public void Sleep(TimeProvider time, TimeSpan sleep)
    {
        Asleep = true;
        // Of the world, and not of the place: a sleeper does not wake itself.
        time.CreateTimer(_ => Asleep = false, null, sleep, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Starts something in it.</summary>
    public void Start(Func<Task> work) => Post(_ => work(), null);

    public void Post(SendOrPostCallback callback, object? state)
    {
        if (!Dead) pump.Add(this, callback, state);
    }
}

/// <summary>One piece's, so that no other goes on within it.</summary>
internal sealed class Turn(Place place) : SynchronizationContext
{
    public Place Place => place;

    public override void Post(SendOrPostCallback d, object? state) => place.Post(d, state);

    public override SynchronizationContext CreateCopy() => this;
}

/// <summary>The world's clock, whose timers go off in the place that set them.</summary>
internal sealed class PlaceTime(TimeProvider world) : TimeProvider
{
    public override long TimestampFrequency => world.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => world.GetUtcNow();

    public override long GetTimestamp() => world.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var place = Place.Current;
        var timer = new PlaceTimer();
        timer.Inner = world.CreateTimer(_ => place.Post(_ => timer.Fire(callback, state), null), null, dueTime, period);
        return timer;
    }

    private sealed class PlaceTimer : ITimer
    {
        private bool _disposed;

        public ITimer Inner { get; set; } = null!;

        public void Fire(TimerCallback callback, object? state)
        {
            if (!_disposed) callback(state);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => Inner.Change(dueTime, period);

        public void Dispose()
        {
            _disposed = true;
            Inner.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
