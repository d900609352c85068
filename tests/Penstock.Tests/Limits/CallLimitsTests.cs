using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Configuration;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Tests.Keys;
using Xunit;

namespace Penstock.Tests.Limits;

public sealed class CallLimitsTests
{
    private const string Route = "/v1/chat/completions";

    private readonly ManualTime _time = new();
    private readonly LimitSection _section = new();
    private readonly CallLimits _limits;
    private int _requests;

    public CallLimitsTests() => _limits = new CallLimits(new ProcessLimits(_time), _section, _time, NullLogger<CallLimits>.Instance);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_hundred_pass_at_once_and_the_next_is_told_when_to_come_back()
    {
        var key = Key("a");
        for (var i = 0; i < 200; i++) Assert.True(await EntersAsync(key));

        var refusal = await RefusedAsync(key);

        Assert.Equal((429, "rate_limit_exceeded", true), (refusal.Status, refusal.Code, refusal.Retryable));
        Assert.Equal(TimeSpan.FromMilliseconds(20), refusal.RetryAfter);
        Assert.Equal("Key 'a' may send 50 requests a second (burst 200). The next one passes in 0.02 s.", refusal.Message);
    }

    [Fact]
    public async Task Fifty_a_second_for_a_minute_are_never_limited()
    {
        var key = Key("a") with { Burst = 1 };
        for (var i = 0; i < 60 * 50; i++)
        {
            Assert.True(await EntersAsync(key));
            _time.Advance(TimeSpan.FromMilliseconds(20));
        }
    }

    [Fact]
    public async Task Fifty_one_a_second_are_limited_in_the_end()
    {
        var key = Key("a");
        var passed = 0;
        for (var i = 0; i < 51 * 600; i++)
        {
            if (await EntersAsync(key)) passed++;
            _time.Advance(TimeSpan.FromSeconds(1) / 51);
        }

        Assert.InRange(passed, (50 * 600) + 198, (50 * 600) + 201);
    }

    [Fact]
    public async Task Of_eleven_at_once_ten_pass_a_burst_of_ten_and_then_five_a_second()
    {
        Configure("""{"limits": {"keys": {"a": {"requestsPerSecond": 5, "burst": 10}}}}""");
        var key = Key("a");
        var passed = 0;
        for (var i = 0; i < 11; i++) passed += await EntersAsync(key) ? 1 : 0;
        Assert.Equal(10, passed);

        passed = 0;
        for (var i = 0; i < 1000; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(1));
            passed += await EntersAsync(key) ? 1 : 0;
        }

        Assert.InRange(passed, 4, 6);
    }

    [Fact]
    public async Task Keys_of_one_id_in_two_tenants_have_a_bucket_each()
    {
        var here = Key("a") with { Burst = 1 };
        var there = here with { Tenant = new TenantId("acme") };

        Assert.True(await EntersAsync(here));
        Assert.True(await EntersAsync(there));
        Assert.False(await EntersAsync(here));
        Assert.False(await EntersAsync(there));
    }

    [Theory]
    [InlineData(5, 10)]
    [InlineData(0.001, 1)]
    [InlineData(1_000_000, 1)]
    public async Task A_keys_own_rate_and_burst_stand_over_those_of_every_key(double rate, int burst)
    {
        var key = Key("a") with { RequestsPerSecond = rate, Burst = burst };
        for (var i = 0; i < burst; i++) Assert.True(await EntersAsync(key));

        var wait = (await RefusedAsync(key)).RetryAfter!.Value;
        Assert.Equal(1 / rate, wait.TotalSeconds, 1e-6);
        _time.Advance(wait);

        Assert.True(await EntersAsync(key));
        Assert.False(await EntersAsync(key));
    }

    [Fact]
    public async Task What_is_configured_for_a_key_stands_over_its_own_and_leaves_the_rest()
    {
        Configure("""{"limits": {"keys": {"a": {"burst": 2}}}}""");
        var key = Key("a") with { RequestsPerSecond = 4, Burst = 1000 };
        Assert.True(await EntersAsync(key));
        Assert.True(await EntersAsync(key));

        Assert.Equal("Key 'a' may send 4 requests a second (burst 2). The next one passes in 0.25 s.", (await RefusedAsync(key)).Message);
    }

    [Fact]
    public async Task A_changed_configuration_is_in_force_for_the_next_request()
    {
        var key = Key("a");
        for (var i = 0; i < 100; i++) await EntersAsync(key);

        Configure("""{"limits": {"requestsPerSecond": 1, "burst": 2}}""");

        Assert.True(await EntersAsync(key));
        Assert.True(await EntersAsync(key));
        Assert.Equal(TimeSpan.FromSeconds(1), (await RefusedAsync(key)).RetryAfter);
    }

    [Theory]
    [InlineData("""{"projects": {"default": {"requestsPerSecond": 0.5, "burst": 1}}}""", "Project 'default' may send 0.5 requests a second (burst 1). The next one passes in 2.00 s.")]
    [InlineData("""{"projects": {"default": {"burst": 9, "requestsPerSecond": 9}, "default/default": {"requestsPerSecond": 0.5}}}""", "Project 'default' may send 0.5 requests a second (burst 1). The next one passes in 2.00 s.")]
    [InlineData("""{"tenants": {"default": {"requestsPerSecond": 0.5}}}""", "Tenant 'default' may send 0.5 requests a second (burst 1). The next one passes in 2.00 s.")]
    [InlineData("""{"routes": {"/v1/chat/completions": {"requestsPerSecond": 0.5}}}""", "Route /v1/chat/completions may send 0.5 requests a second (burst 1). The next one passes in 2.00 s.")]
    public async Task A_limit_over_many_keys_is_shared_by_them_and_names_itself(string limits, string message)
    {
        Configure($$"""{"limits": {{limits}}}""");
        Assert.True(await EntersAsync(Key("a")));

        Assert.Equal(message, (await RefusedAsync(Key("b"))).Message);

        // What it does not stand over passes.
        Assert.True(await EntersAsync(Key("c") with { Tenant = new("acme"), Project = new("other") }));
    }

    [Fact]
    public async Task A_limited_route_limits_no_other()
    {
        Configure("""{"limits": {"routes": {"/v1/embed": {"requestsPerSecond": 0.5}}}}""");
        Assert.True(await EntersAsync(Key("a"), "/v1/embed"));

        Assert.False(await EntersAsync(Key("a"), "/v1/embed"));
        Assert.True(await EntersAsync(Key("a")));
    }

    [Fact]
    public async Task A_project_of_one_tenant_is_not_that_of_another()
    {
        Configure("""{"limits": {"projects": {"acme/default": {"requestsPerSecond": 0.5}}}}""");
        var acme = Key("a") with { Tenant = new("acme") };
        Assert.True(await EntersAsync(acme));

        Assert.False(await EntersAsync(acme));
        for (var i = 0; i < 3; i++) Assert.True(await EntersAsync(Key("a")));
    }

    [Fact]
    public async Task A_refusal_by_one_limit_takes_nothing_from_the_others()
    {
        Configure("""{"limits": {"requestsPerSecond": 1, "burst": 3, "tenants": {"default": {"requestsPerSecond": 0.1}}}}""");
        Assert.True(await EntersAsync(Key("a")));
        for (var i = 0; i < 100; i++) await RefusedAsync(Key("b"));

        Configure("""{"limits": {"requestsPerSecond": 1, "burst": 3}}""");

        for (var i = 0; i < 3; i++) Assert.True(await EntersAsync(Key("b")));
        Assert.False(await EntersAsync(Key("b")));
    }

    [Fact]
    public async Task Tokens_are_taken_by_estimate_and_corrected_to_what_was_metered()
    {
        var key = Key("a") with { TokensPerMinute = 6000 };
        var first = await OpenAsync(key);
        await first.TakeAsync(4000, Ct);
        Assert.Equal((6000, 2000), (first.Tokens!.Value.Limit, first.Tokens.Value.Remaining));

        var second = await OpenAsync(key);
        var refusal = await RefusedAsync(second.TakeAsync(2500, Ct));
        Assert.Equal((429, "token_limit_exceeded"), (refusal.Status, refusal.Code));
        Assert.Equal("Key 'a' may use 6000 tokens a minute, and this call may need 2500: its input and the longest answer it asks for. It passes in 5.00 s.", refusal.Message);
        Assert.Equal(TimeSpan.FromSeconds(5), refusal.RetryAfter);

        await SettleAsync(first, 1000);
        await SettleAsync(first, 1000);
        Assert.Equal(5000, first.Tokens!.Value.Remaining);

        var third = await OpenAsync(key);
        await third.TakeAsync(5000, Ct);
        Assert.Equal(0, third.Tokens!.Value.Remaining);
    }

    [Fact]
    public async Task A_call_that_used_more_than_estimated_is_waited_for()
    {
        var key = Key("a") with { TokensPerMinute = 600 };
        var first = await OpenAsync(key);
        await first.TakeAsync(100, Ct);
        await SettleAsync(first, 900);

        // 300 below empty, 10 a second.
        Assert.Equal(TimeSpan.FromSeconds(31), (await RefusedAsync((await OpenAsync(key)).TakeAsync(10, Ct))).RetryAfter);
    }

    [Fact]
    public async Task A_call_that_needs_more_than_a_minutes_tokens_takes_them_all_and_is_not_refused_for_ever()
    {
        var key = Key("a") with { TokensPerMinute = 600 };
        var big = await OpenAsync(key);
        await big.TakeAsync(10_000, Ct);
        Assert.Equal(0, big.Tokens!.Value.Remaining);
        await SettleAsync(big, 700);

        Assert.Equal(TimeSpan.FromSeconds(70), (await RefusedAsync((await OpenAsync(key)).TakeAsync(10_000, Ct))).RetryAfter);
    }

    [Fact]
    public async Task Calls_in_flight_are_counted_until_they_settle()
    {
        var key = Key("a") with { Concurrency = 2 };
        var (first, second, third) = (await OpenAsync(key), await OpenAsync(key), await OpenAsync(key));
        await first.TakeAsync(0, Ct);
        await second.TakeAsync(0, Ct);

        var refusal = await RefusedAsync(third.TakeAsync(0, Ct));
        Assert.Equal((429, "concurrency_limit_exceeded", TimeSpan.FromSeconds(1)), (refusal.Status, refusal.Code, refusal.RetryAfter));
        Assert.Equal("Key 'a' may have 2 calls in flight at once. Try again when one has ended.", refusal.Message);

        await SettleAsync(first, 0);
        await first.DisposeAsync();
        await (await OpenAsync(key)).TakeAsync(0, Ct);
        await RefusedAsync((await OpenAsync(key)).TakeAsync(0, Ct));
    }

    [Fact]
    public async Task A_slot_whose_call_never_ended_is_free_after_its_time()
    {
        Configure("""{"limits": {"leaseMinutes": 2}}""");
        var key = Key("a") with { Concurrency = 1 };
        await (await OpenAsync(key)).TakeAsync(0, Ct);
        _time.Advance(TimeSpan.FromSeconds(119));
        await RefusedAsync((await OpenAsync(key)).TakeAsync(0, Ct));

        _time.Advance(TimeSpan.FromSeconds(1));

        await (await OpenAsync(key)).TakeAsync(0, Ct);
    }

    [Fact]
    public async Task Refused_call_eats_the_rate_limit()
    {
        // As it is elsewhere; here what a limit refused counts as no request.
        var key = Key("a") with { RequestsPerSecond = 0.001, Burst = 2, Concurrency = 1, TokensPerMinute = 100 };
        await (await OpenAsync(key)).TakeAsync(10, Ct);

        for (var i = 0; i < 10; i++)
        {
            var passage = await OpenAsync(key);
            await RefusedAsync(passage.TakeAsync(10, Ct));
            await passage.DisposeAsync();
            Assert.Equal(1, passage.Requests!.Value.Remaining);
            Assert.Equal(90, passage.Tokens!.Value.Remaining);
        }

        Assert.True(await EntersAsync(key));
        Assert.False(await EntersAsync(key));
    }

    [Fact]
    public async Task What_is_given_back_is_all_that_was_taken_and_once()
    {
        var key = Key("a") with { RequestsPerSecond = 0.001, Burst = 5, Concurrency = 1, TokensPerMinute = 1000 };
        Assert.True(await EntersAsync(key));
        var passage = await OpenAsync(key);
        await passage.TakeAsync(400, Ct);
        for (var i = 0; i < 3; i++) await passage.ReturnAsync();
        await passage.DisposeAsync();

        var next = await OpenAsync(key);
        await next.TakeAsync(1000, Ct);

        Assert.Equal((3, 0), (next.Requests!.Value.Remaining, next.Tokens!.Value.Remaining));
    }

    [Fact]
    public async Task The_tightest_limit_is_the_one_shown()
    {
        Configure("""{"limits": {"tenants": {"default": {"requestsPerSecond": 10, "burst": 30, "tokensPerMinute": 500}}}}""");
        var passage = await OpenAsync(Key("a") with { TokensPerMinute = 60_000 });
        Assert.Equal((30, 29, TimeSpan.FromMilliseconds(100)), (passage.Requests!.Value.Limit, passage.Requests.Value.Remaining, passage.Requests.Value.Reset));
        Assert.Equal((500, 500, TimeSpan.Zero), (passage.Tokens!.Value.Limit, passage.Tokens.Value.Remaining, passage.Tokens.Value.Reset));
    }

    [Fact]
    public async Task A_store_that_takes_nothing_back_fails_no_call()
    {
        var limits = new CallLimits(new OneWayStore(), _section, _time, NullLogger<CallLimits>.Instance);
        var passage = limits.Open(new Caller(Key("a") with { Concurrency = 1 }), Route, new RequestId("r1"));
        await passage.EnterAsync(Ct);
        await passage.TakeAsync(0, Ct);

        await SettleAsync(passage, 5);
    }

    private static ValueTask SettleAsync(Passage passage, long used)
    {
        passage.Use(used);
        return passage.SettleAsync();
    }

    private static KeyRecord Key(string id) => Callers.Key(Callers.Text(id), DateTimeOffset.UnixEpoch);

    private static async Task<Refusal> RefusedAsync(ValueTask taking) => (await Assert.ThrowsAsync<RefusedException>(taking.AsTask)).Refusal;

    private async Task<Passage> OpenAsync(KeyRecord key, string route = Route)
    {
        var passage = _limits.Open(new Caller(key), route, new RequestId($"req_{++_requests}"));
        await passage.EnterAsync(Ct);
        return passage;
    }

    private async Task<bool> EntersAsync(KeyRecord key, string route = Route) => await Record.ExceptionAsync(() => OpenAsync(key, route)) is null;

    private async Task<Refusal> RefusedAsync(KeyRecord key) => (await Assert.ThrowsAsync<RefusedException>(() => OpenAsync(key))).Refusal;

    private void Configure(string json)
    {
        var read = new ConfigRead(JsonView.Parse(Encoding.UTF8.GetBytes(json)));
        var apply = _section.Read(read);
        Assert.Empty(read.Errors);
        apply();
    }

    private sealed class OneWayStore : ILimitStore
    {
        public ValueTask<LimitDecision> TakeAsync(LimitRequest request, CancellationToken ct) => ValueTask.FromResult(new LimitDecision(null, TimeSpan.Zero, new double[request.Buckets.Length]));

        public ValueTask ReturnAsync(LimitRequest request, CancellationToken ct) => ValueTask.FromException(new IOException("gone"));
    }
}
