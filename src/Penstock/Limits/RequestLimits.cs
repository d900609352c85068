using System.Collections.Concurrent;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Limits;

/// <summary>A token bucket per key: so many requests at once, then so many a second. A refusal takes nothing from the bucket.</summary>
internal sealed class RequestLimits(LimitSection section, TimeProvider time)
{
    private const int MostBuckets = 100_000;

    private readonly ConcurrentDictionary<(TenantId, KeyId), Bucket> _buckets = new();

    /// <summary>Throws 429 with the time after which the next request would pass.</summary>
    public void Take(Caller caller)
    {
        var rate = caller.Key.RequestsPerSecond ?? section.Current.RequestsPerSecond;
        var burst = caller.Key.Burst ?? section.Current.Burst;
        var now = time.GetTimestamp();
        if (!_buckets.TryGetValue((caller.Tenant, caller.Key.Id), out var bucket))
        {
            // Counting takes every lock of the dictionary, so only a key not seen before pays for it.
            if (_buckets.Count >= MostBuckets) Forget(now);
            bucket = _buckets.GetOrAdd((caller.Tenant, caller.Key.Id), static (_, state) => new Bucket(state.burst, state.now), (burst, now));
        }

        var wait = bucket.Take(rate, burst, now, time);
        if (wait == TimeSpan.Zero) return;
        throw new RefusedException(new Refusal(RefusalKind.Limited, "rate_limit_exceeded", FormattableString.Invariant($"Key '{caller.Key.Id}' may send {rate:0.###} requests a second (burst {burst}). The next one passes in {wait.TotalSeconds:0.00} s.")) { RetryAfter = wait });
    }

    /// <summary>Drops buckets that have been full for a while: a new one would be the same.</summary>
    private void Forget(long now)
    {
        foreach (var (key, bucket) in _buckets)
        {
            if (bucket.IdleFor(now, time) > TimeSpan.FromMinutes(10)) _buckets.TryRemove(key, out _);
        }
    }

    private sealed class Bucket(double tokens, long at)
    {
        /// <summary>What rounding may lack of a whole token; far less than a tick's worth at any rate.</summary>
        private const double Rounding = 1e-9;

        private readonly Lock _lock = new();
        private double _tokens = tokens;
        private long _at = at;

        public TimeSpan Take(double rate, int burst, long now, TimeProvider time)
        {
            lock (_lock)
            {
                var elapsed = Math.Max(0, time.GetElapsedTime(_at, now).TotalSeconds);
                _tokens = Math.Min(burst, _tokens + (elapsed * rate));
                _at = Math.Max(_at, now);
                // Rounded up to the tick: whoever waits as told passes.
                if (_tokens < 1 - Rounding) return TimeSpan.FromTicks((long)Math.Ceiling((1 - _tokens) / rate * TimeSpan.TicksPerSecond));
                _tokens = Math.Max(0, _tokens - 1);
                return TimeSpan.Zero;
            }
        }

        public TimeSpan IdleFor(long now, TimeProvider time) => time.GetElapsedTime(Volatile.Read(ref _at), now);
    }
}
