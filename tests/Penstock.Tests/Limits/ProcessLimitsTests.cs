using System.Numerics;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Limits;
using Xunit;

namespace Penstock.Tests.Limits;

public sealed class ProcessLimitsContractTests : LimitStoreContract
{
    protected override int Rounds => 3_000;

    protected override ValueTask<ILimitStore> OpenAsync(TimeProvider time) => ValueTask.FromResult<ILimitStore>(new ProcessLimits(time));

    protected override ValueTask CloseAsync() => ValueTask.CompletedTask;
}

public sealed class ProcessLimitsTests
{
    private readonly ManualTime _time = new();
    private readonly ProcessLimits _store;

    public ProcessLimitsTests() => _store = new ProcessLimits(_time);

    [Fact]
    public void A_clock_that_runs_backwards_neither_gives_nor_takes()
    {
        var time = new WrongTime { Ticks = TimeSpan.TicksPerHour };
        var store = new ProcessLimits(time);
        var bucket = new BucketTake("a", 2, 1, 1);
        Assert.Null(Take(store, bucket).Refusing);

        time.Ticks = 0;
        Assert.Null(Take(store, bucket).Refusing);
        Assert.Equal(0, Take(store, bucket).Refusing);

        // Back where it was: no second has passed since the highest time seen.
        time.Ticks = TimeSpan.TicksPerHour;
        Assert.Equal(0, Take(store, bucket).Refusing);
        time.Ticks += TimeSpan.TicksPerSecond;
        Assert.Null(Take(store, bucket).Refusing);
        Assert.Equal(0, Take(store, bucket).Refusing);
    }

    [Fact]
    public void A_clock_that_jumps_ahead_gives_a_full_bucket_and_no_more()
    {
        var time = new WrongTime();
        var store = new ProcessLimits(time);
        var bucket = new BucketTake("a", 3, 1_000_000, 1);
        Take(store, bucket);

        time.Ticks = long.MaxValue / 2;

        for (var i = 0; i < 3; i++) Assert.Null(Take(store, bucket).Refusing);
        Assert.Equal(0, Take(store, bucket).Refusing);
    }

    /// <summary>The model counts in whole ticks times the rate, so that nothing is ever rounded.</summary>
    [Fact]
    public void Every_decision_is_that_of_a_model_without_rounding()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            var seeded = new SeededSource(seed);
            var rate = seeded.Pick(1, 3, 7, 50, 333, 1000, 99_991);
            var bucket = new BucketTake($"k{seed}", seeded.Pick(1, 2, 10, 200), rate, 1);
            var full = (BigInteger)bucket.Size * TimeSpan.TicksPerSecond;
            var model = full;
            for (var step = 0; step < 400; step++)
            {
                var ticks = seeded.Below(3) switch { 0 => 0, 1 => seeded.Below((int)(2 * TimeSpan.TicksPerSecond / rate) + 1), _ => seeded.Below(1000) };
                _time.Advance(TimeSpan.FromTicks(ticks));
                model = BigInteger.Min(full, model + ((BigInteger)ticks * rate));
                var passes = model >= TimeSpan.TicksPerSecond;

                var decision = Take(_store, bucket);

                Assert.True(passes == decision.Refusing is null, $"seed {seed} step {step}: the model {(passes ? "passes" : "refuses")}");
                if (passes)
                {
                    model -= TimeSpan.TicksPerSecond;
                    continue;
                }

                // A tick too long is rounding, one too short would be refused again.
                var wait = (long)((TimeSpan.TicksPerSecond - model + rate - 1) / rate);
                Assert.InRange(decision.Wait.Ticks, wait, wait + 1);
            }
        }
    }

    [Fact]
    public void Whoever_waits_as_told_passes_whatever_the_rate_and_the_amount()
    {
        for (ulong seed = 0; seed < 2_000; seed++)
        {
            var seeded = new SeededSource(seed);
            var bucket = new BucketTake($"k{seed}", seeded.Pick(1, 3, 1000, 2_000_000_000), 0.001 + (seeded.Below(1_000_000) / 997.0), 0);
            bucket = bucket with { Amount = Math.Max(1, Math.Floor(bucket.Size * (1 + seeded.Below(100)) / 100)) };
            while (Take(_store, bucket).Refusing is null) _time.Advance(TimeSpan.FromTicks(seeded.Below(1000)));

            _time.Advance(Take(_store, bucket).Wait);

            Assert.True(Take(_store, bucket).Refusing is null, $"seed {seed}");
        }
    }

    [Fact]
    public async Task What_is_full_or_free_again_is_forgotten_and_nothing_else_is()
    {
        var slow = new BucketTake("slow", 10, 0.0001, 10);
        await _store.TakeAsync(Request([slow], [new("held", 1)], "holder", TimeSpan.FromDays(1)), Ct);
        for (var i = 0; i < 100_000; i++)
        {
            await _store.TakeAsync(Request([new($"b{i}", 10, 10, 1)], [new($"s{i}", 1)], "l", TimeSpan.FromSeconds(1)), Ct);
            if (i % 1000 == 0) _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(_store.Remembered, 3, 15_000);
        Assert.Equal(0, Take(_store, slow).Refusing);
        Assert.Equal(0, (await _store.TakeAsync(Request([], [new("held", 1)], "other", TimeSpan.FromDays(1)), Ct)).Refusing);
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static LimitRequest Request(BucketTake[] buckets, SlotTake[] slots, string lease, TimeSpan leaseFor) => new() { Tenant = TenantId.Default, Buckets = buckets, Slots = slots, Lease = lease, LeaseFor = leaseFor };

    private static LimitDecision Take(ProcessLimits store, BucketTake bucket)
    {
        var taken = store.TakeAsync(Request([bucket], [], "l", TimeSpan.FromMinutes(1)), Ct);
        return taken.IsCompletedSuccessfully ? taken.Result : throw new InvalidOperationException("A store in this process answers at once.");
    }

    /// <summary>A clock that goes where it is put.</summary>
    private sealed class WrongTime : TimeProvider
    {
        public long Ticks { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Ticks;
    }
}
