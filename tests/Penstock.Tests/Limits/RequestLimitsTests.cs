using System.Numerics;
using Penstock.Configuration;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Tests.Keys;
using Xunit;

namespace Penstock.Tests.Limits;

public sealed class RequestLimitsTests
{
    private readonly ManualTime _time = new();
    private readonly LimitSection _section = new();
    private readonly RequestLimits _limits;

    public RequestLimitsTests() => _limits = new RequestLimits(_section, _time);

    [Fact]
    public void Two_hundred_pass_at_once_and_the_next_is_told_when_to_come_back()
    {
        var caller = Key("a");
        for (var i = 0; i < 200; i++) _limits.Take(caller);

        var refusal = Refused(caller);

        Assert.Equal(429, refusal.Status);
        Assert.Equal("rate_limit_exceeded", refusal.Code);
        Assert.Equal(TimeSpan.FromMilliseconds(20), refusal.RetryAfter);
        Assert.Equal("Key 'a' may send 50 requests a second (burst 200). The next one passes in 0.02 s.", refusal.Message);
        Assert.True(refusal.Retryable);
    }

    [Fact]
    public void Fifty_a_second_for_a_minute_are_never_limited()
    {
        var caller = Key("a", burst: 1);
        for (var i = 0; i < 60 * 50; i++)
        {
            _limits.Take(caller);
            _time.Advance(TimeSpan.FromMilliseconds(20));
        }
    }

    [Fact]
    public void Fifty_one_a_second_are_limited_in_the_end()
    {
        var caller = Key("a");
        var passed = 0;
        for (var i = 0; i < 51 * 600; i++)
        {
            if (Passes(caller)) passed++;
            _time.Advance(TimeSpan.FromSeconds(1) / 51);
        }

        Assert.InRange(passed, (50 * 600) + 198, (50 * 600) + 201);
    }

    [Fact]
    public void A_refusal_takes_nothing()
    {
        var caller = Key("a", rate: 1, burst: 3);
        for (var i = 0; i < 3; i++) _limits.Take(caller);
        for (var i = 0; i < 1000; i++) Refused(caller);

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.True(Passes(caller));
        Assert.False(Passes(caller));
    }

    [Fact]
    public void Keys_of_one_id_in_two_tenants_have_a_bucket_each()
    {
        var here = Key("a", burst: 1);
        var there = new Caller(here.Key with { Tenant = new TenantId("acme") });

        Assert.True(Passes(here));
        Assert.True(Passes(there));
        Assert.False(Passes(here));
        Assert.False(Passes(there));
    }

    [Theory]
    [InlineData(5, 10)]
    [InlineData(0.001, 1)]
    [InlineData(1_000_000, 1)]
    public void A_keys_own_rate_and_burst_stand_over_the_configured(double rate, int burst)
    {
        var caller = Key("a", rate, burst);
        for (var i = 0; i < burst; i++) Assert.True(Passes(caller));

        var wait = Refused(caller).RetryAfter!.Value;
        Assert.Equal(1 / rate, wait.TotalSeconds, 1e-6);
        _time.Advance(wait);

        Assert.True(Passes(caller));
        Assert.False(Passes(caller));
    }

    [Fact]
    public void A_changed_configuration_is_in_force_for_the_next_request()
    {
        var caller = Key("a");
        for (var i = 0; i < 100; i++) _limits.Take(caller);

        Configure("""{"limits": {"requestsPerSecond": 1, "burst": 2}}""");

        Assert.True(Passes(caller));
        Assert.True(Passes(caller));
        Assert.Equal(TimeSpan.FromSeconds(1), Refused(caller).RetryAfter);
    }

    [Fact]
    public void A_clock_that_runs_backwards_neither_gives_nor_takes()
    {
        var time = new WrongTime();
        var limits = new RequestLimits(_section, time);
        var caller = Key("a", rate: 1, burst: 2);
        time.Ticks = TimeSpan.TicksPerHour;
        limits.Take(caller);

        time.Ticks = 0;
        limits.Take(caller);
        Assert.Throws<RefusedException>(() => limits.Take(caller));

        // Back where it was: no second has passed since the highest time seen.
        time.Ticks = TimeSpan.TicksPerHour;
        Assert.Throws<RefusedException>(() => limits.Take(caller));
        time.Ticks += TimeSpan.TicksPerSecond;
        limits.Take(caller);
        Assert.Throws<RefusedException>(() => limits.Take(caller));
    }

    [Fact]
    public void A_clock_that_jumps_ahead_gives_a_full_bucket_and_no_more()
    {
        var time = new WrongTime();
        var limits = new RequestLimits(_section, time);
        var caller = Key("a", rate: 1_000_000, burst: 3);
        limits.Take(caller);

        time.Ticks = long.MaxValue / 2;

        for (var i = 0; i < 3; i++) limits.Take(caller);
        Assert.Throws<RefusedException>(() => limits.Take(caller));
    }

    /// <summary>The model counts in whole ticks times the rate, so that nothing is ever rounded.</summary>
    [Fact]
    public void Every_decision_is_that_of_a_model_without_rounding()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            var seeded = new SeededSource(seed);
            var rate = seeded.Pick(1, 3, 7, 50, 333, 1000, 99_991);
            var burst = seeded.Pick(1, 2, 10, 200);
            var caller = Key($"k{seed}", rate, burst);
            var full = (BigInteger)burst * TimeSpan.TicksPerSecond;
            var model = full;
            for (var step = 0; step < 400; step++)
            {
                var ticks = seeded.Below(3) switch { 0 => 0, 1 => seeded.Below((int)(2 * TimeSpan.TicksPerSecond / rate) + 1), _ => seeded.Below(1000) };
                _time.Advance(TimeSpan.FromTicks(ticks));
                model = BigInteger.Min(full, model + ((BigInteger)ticks * rate));
                var passes = model >= TimeSpan.TicksPerSecond;

                var refusal = Record.Exception(() => _limits.Take(caller)) as RefusedException;

                Assert.True(passes == refusal is null, $"seed {seed} step {step}: the model {(passes ? "passes" : "refuses")}");
                if (passes)
                {
                    model -= TimeSpan.TicksPerSecond;
                    continue;
                }

                // A tick too long is rounding, one too short would be refused again.
                var wait = (long)((TimeSpan.TicksPerSecond - model + rate - 1) / rate);
                Assert.InRange(refusal!.Refusal.RetryAfter!.Value.Ticks, wait, wait + 1);
            }
        }
    }

    [Fact]
    public void Whoever_waits_as_told_passes_whatever_the_rate()
    {
        for (ulong seed = 0; seed < 2_000; seed++)
        {
            var seeded = new SeededSource(seed);
            var caller = Key($"k{seed}", rate: 0.001 + (seeded.Below(1_000_000) / 997.0), burst: 1 + seeded.Below(3));
            while (Passes(caller)) _time.Advance(TimeSpan.FromTicks(seeded.Below(1000)));

            _time.Advance(Refused(caller).RetryAfter!.Value);

            Assert.True(Passes(caller), $"seed {seed}");
            Assert.False(Passes(caller), $"seed {seed}");
        }
    }

    [Fact]
    public async Task Callers_at_once_get_no_more_than_the_bucket_holds()
    {
        var caller = Key("a");
        var passed = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Enumerable.Range(0, 500).Count(_ => Passes(caller)))));

        Assert.Equal(200, passed.Sum());
    }

    [Theory]
    [InlineData("""{"limits": {"burst": 0}}""", "limits.burst")]
    [InlineData("""{"limits": {"burst": 1.5}}""", "limits.burst")]
    [InlineData("""{"limits": {"requestsPerSecond": 0}}""", "limits.requestsPerSecond")]
    [InlineData("""{"limits": {"requestsPerSecond": "50"}}""", "limits.requestsPerSecond")]
    [InlineData("""{"limits": {"brust": 5}}""", "limits.brust")]
    [InlineData("""{"limits": []}""", "limits")]
    public void A_bad_limit_is_named(string json, string field)
    {
        var read = new ConfigRead(JsonView.Parse(System.Text.Encoding.UTF8.GetBytes(json)));
        _section.Read(read);

        Assert.Contains($"'{field}'", Assert.Single(read.Errors.Distinct()), StringComparison.Ordinal);
        Assert.Equal(new LimitOptions(), _section.Current);
    }

    private static Caller Key(string id, double? rate = null, int? burst = null) =>
        new(Callers.Key(Callers.Text(id), DateTimeOffset.UnixEpoch) with { RequestsPerSecond = rate, Burst = burst });

    private bool Passes(Caller caller) => Record.Exception(() => _limits.Take(caller)) is null;

    private Refusal Refused(Caller caller) => Assert.Throws<RefusedException>(() => _limits.Take(caller)).Refusal;

    private void Configure(string json)
    {
        var read = new ConfigRead(JsonView.Parse(System.Text.Encoding.UTF8.GetBytes(json)));
        var apply = _section.Read(read);
        Assert.Empty(read.Errors);
        apply();
    }

    /// <summary>A clock that goes where it is put.</summary>
    private sealed class WrongTime : TimeProvider
    {
        public long Ticks { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Ticks;
    }
}
