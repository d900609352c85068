using System.Globalization;

namespace Penstock.Chaos;

/// <summary>A clock that runs faster than the machine's, and goes on in the next process where the last one left it.</summary>
internal sealed class ScaledTime(int scale, DateTimeOffset since) : TimeProvider
{
    public const string ScaleVariable = "CHAOS_SCALE";
    public const string SinceVariable = "CHAOS_SINCE";

    public override long TimestampFrequency => System.TimestampFrequency / scale;

    /// <summary>Null where the environment does not tell this process to hurry.</summary>
    public static TimeProvider? Told() => Environment.GetEnvironmentVariable(ScaleVariable) is { } scale
        ? new ScaledTime(int.Parse(scale, CultureInfo.InvariantCulture), DateTimeOffset.Parse(Environment.GetEnvironmentVariable(SinceVariable)!, CultureInfo.InvariantCulture))
        : null;

    public override DateTimeOffset GetUtcNow() => since + ((System.GetUtcNow() - since) * scale);

    public override long GetTimestamp() => System.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new Timer(System.CreateTimer(callback, state, Scaled(dueTime), Scaled(period)), this);

    private TimeSpan Scaled(TimeSpan time) => time <= TimeSpan.Zero ? time : TimeSpan.FromMilliseconds(Math.Max(1, time.TotalMilliseconds / scale));

    private sealed class Timer(ITimer inner, ScaledTime time) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => inner.Change(time.Scaled(dueTime), time.Scaled(period));

        public void Dispose() => inner.Dispose();

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
