using Penstock.Contracts;

namespace Penstock.Tests.Gateway;

/// <summary>A manual clock that can be waited on until somebody waits for it.</summary>
internal sealed class WatchedTime : TimeProvider
{
    private int _made;
    private int _seen;

    public ManualTime Inner { get; } = new();

    public override long TimestampFrequency => Inner.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => Inner.GetUtcNow();

    public override long GetTimestamp() => Inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = Inner.CreateTimer(callback, state, dueTime, period);
        Interlocked.Increment(ref _made);
        return timer;
    }

    /// <summary>Until a silence is being timed that was not yet when this was last asked.</summary>
    public async Task WaitForTimerAsync()
    {
        await GatewayHost.UntilAsync(() => Volatile.Read(ref _made) > _seen, "no silence is timed");
        _seen = Volatile.Read(ref _made);
    }

    /// <summary>Less than fires anything.</summary>
    public Task AdvanceAsync(TimeSpan by)
    {
        Inner.Advance(by);
        return Task.CompletedTask;
    }

    /// <summary>Fires the ping and waits until the next silence is timed.</summary>
    public async Task FireAsync(TimeSpan by)
    {
        _seen = Volatile.Read(ref _made);
        Inner.Advance(by);
        await WaitForTimerAsync();
    }
}
