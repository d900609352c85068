using System.Runtime.InteropServices;
using Penstock.Kernel;

namespace Penstock.Limits;

/// <summary>Counts in this process, exactly: right where it is the only one. What it knows is gone with it, and with it the calls that it limited.</summary>
internal sealed class ProcessLimits(TimeProvider time) : ILimitStore
{
    /// <summary>A power of two.</summary>
    private const int Stripes = 64;

    private readonly Stripe[] _stripes = [.. Enumerable.Range(0, Stripes).Select(_ => new Stripe(time))];

    /// <summary>What is remembered now.</summary>
    internal int Remembered => _stripes.Sum(stripe => stripe.Count);

    public ValueTask<LimitDecision> TakeAsync(LimitRequest request, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return ValueTask.FromResult(StripeOf(request.Tenant).Take(request));
    }

    public ValueTask ReturnAsync(LimitRequest request, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        StripeOf(request.Tenant).Return(request);
        return ValueTask.CompletedTask;
    }

    /// <summary>All that a request can take is its tenant's, so that one lock makes it one step.</summary>
    private Stripe StripeOf(TenantId tenant) => _stripes[string.GetHashCode(tenant.Value) & (Stripes - 1)];

    private sealed class Stripe(TimeProvider time)
    {
        /// <summary>Below this many, nothing is looked through for what can be forgotten.</summary>
        private const int Few = 10_000;

        private readonly Lock _lock = new();
        private readonly Dictionary<(TenantId Tenant, string Name), Bucket> _buckets = [];
        private readonly Dictionary<(TenantId Tenant, string Name), SlotLeases> _slots = [];
        private Bucket[] _found = new Bucket[8];
        private int _sweepAt = Few;

        public int Count
        {
            get
            {
                lock (_lock) return _buckets.Count + _slots.Count;
            }
        }

        public LimitDecision Take(in LimitRequest request)
        {
            lock (_lock)
            {
                // Read under the lock: two threads agree on which of them came first.
                var now = time.GetTimestamp();
                Sweep(now);
                var (refusing, wait) = Look(request, now);
                if (refusing is null) TakeSlots(request, now);
                return new LimitDecision(refusing, wait, TakeBuckets(request.Buckets.Span, refusing is null));
            }
        }

        public void Return(in LimitRequest request)
        {
            lock (_lock)
            {
                var now = time.GetTimestamp();
                foreach (var take in request.Buckets.Span)
                {
                    var bucket = BucketOf(request.Tenant, take, now);
                    bucket.Tokens = Math.Min(take.Size, bucket.Tokens + take.Amount);
                }

                foreach (var take in request.Slots.Span)
                {
                    if (_slots.TryGetValue((request.Tenant, take.Name), out var leases)) leases.Free(request.Lease);
                }
            }
        }

        /// <summary>Leaves the buckets in <see cref="_found"/>, so that each is looked up once.</summary>
        private (int? Refusing, TimeSpan Wait) Look(in LimitRequest request, long now)
        {
            var (refusing, longest) = ((int?)null, TimeSpan.Zero);
            var buckets = request.Buckets.Span;
            if (_found.Length < buckets.Length) _found = new Bucket[buckets.Length];
            for (var i = 0; i < buckets.Length; i++)
            {
                _found[i] = BucketOf(request.Tenant, buckets[i], now);
                var wait = _found[i].WaitFor(buckets[i]);
                if (wait > longest) (refusing, longest) = (i, wait);
            }

            if (refusing is not null) return (refusing, longest);
            var slots = request.Slots.Span;
            for (var i = 0; i < slots.Length; i++)
            {
                if (_slots.TryGetValue((request.Tenant, slots[i].Name), out var leases) && !leases.HasRoom(slots[i].Most, request.Lease, now)) return (buckets.Length + i, TimeSpan.Zero);
            }

            return (null, TimeSpan.Zero);
        }

        private double[] TakeBuckets(ReadOnlySpan<BucketTake> buckets, bool take)
        {
            var left = buckets.Length == 0 ? [] : new double[buckets.Length];
            for (var i = 0; i < buckets.Length; i++)
            {
                // A look at one below empty must not fill it.
                if (take && buckets[i].Amount > 0) _found[i].Tokens = Math.Max(0, _found[i].Tokens - buckets[i].Amount);
                left[i] = _found[i].Tokens;
            }

            return left;
        }

        private void TakeSlots(in LimitRequest request, long now)
        {
            foreach (var take in request.Slots.Span)
            {
                ref var leases = ref CollectionsMarshal.GetValueRefOrAddDefault(_slots, (request.Tenant, take.Name), out _);
                leases ??= new SlotLeases();
                leases.Take(request.Lease, now + (long)(request.LeaseFor.TotalSeconds * time.TimestampFrequency));
            }
        }

        /// <summary>Refilled to now.</summary>
        private Bucket BucketOf(TenantId tenant, in BucketTake take, long now)
        {
            ref var bucket = ref CollectionsMarshal.GetValueRefOrAddDefault(_buckets, (tenant, take.Name), out _);
            bucket ??= new Bucket(take.Size, now);
            bucket.Refill(take, now, time);
            return bucket;
        }

        /// <summary>Forgets buckets that are full again and slots that nobody has: new ones would be the same. Seldom enough that it costs each request next to nothing.</summary>
        private void Sweep(long now)
        {
            if (_buckets.Count + _slots.Count < _sweepAt) return;
            foreach (var (name, bucket) in _buckets)
            {
                if (bucket.IsFullAt(now, time)) _buckets.Remove(name);
            }

            foreach (var (name, leases) in _slots)
            {
                if (leases.AreFreeAt(now)) _slots.Remove(name);
            }

            _sweepAt = Math.Max(Few, 2 * (_buckets.Count + _slots.Count));
        }
    }

    private sealed class Bucket(double tokens, long at)
    {
        /// <summary>What rounding may lack of an amount; far less than a tick's worth at any rate.</summary>
        private const double Rounding = 1e-9;

        private long _at = at;
        private double _size;
        private double _perSecond;

        public double Tokens { get; set; } = tokens;

        public void Refill(in BucketTake take, long now, TimeProvider time)
        {
            (_size, _perSecond) = (take.Size, take.PerSecond);
            Tokens = Math.Min(_size, Tokens + (Elapsed(now, time) * _perSecond));
            _at = Math.Max(_at, now);
        }

        /// <summary>Rounded up to the tick: whoever waits as told passes.</summary>
        public TimeSpan WaitFor(in BucketTake take)
        {
            // The more it holds, the less exactly a double holds it.
            var lacks = take.Amount - Tokens - (Rounding * Math.Max(1, take.Size / 1000));
            return take.Amount <= 0 || lacks <= 0 ? TimeSpan.Zero : TimeSpan.FromTicks((long)Math.Ceiling((take.Amount - Tokens) / take.PerSecond * TimeSpan.TicksPerSecond));
        }

        public bool IsFullAt(long now, TimeProvider time) => Tokens + (Elapsed(now, time) * _perSecond) >= _size;

        private double Elapsed(long now, TimeProvider time) => now <= _at ? 0 : time.GetElapsedTime(_at, now).TotalSeconds;
    }

    /// <summary>Who holds the slots of one limit, and until when.</summary>
    private sealed class SlotLeases
    {
        private readonly Dictionary<string, long> _until = [];
        private long _earliest = long.MaxValue;

        public bool HasRoom(int most, string lease, long now)
        {
            if (now >= _earliest) Drop(now);
            return _until.Count < most || _until.ContainsKey(lease);
        }

        public void Take(string lease, long until)
        {
            _until[lease] = until;
            _earliest = Math.Min(_earliest, until);
        }

        public void Free(string lease) => _until.Remove(lease);

        public bool AreFreeAt(long now)
        {
            if (now >= _earliest) Drop(now);
            return _until.Count == 0;
        }

        private void Drop(long now)
        {
            _earliest = long.MaxValue;
            foreach (var (lease, until) in _until)
            {
                if (until <= now) _until.Remove(lease);
                else _earliest = Math.Min(_earliest, until);
            }
        }
    }
}
