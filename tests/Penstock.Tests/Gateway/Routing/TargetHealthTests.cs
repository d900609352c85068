using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Gateway.Routing;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Gateway.Routing;

/// <summary>One target's circuit, cool-down and retry budget, by themselves.</summary>
public sealed class TargetHealthTests
{
    private readonly ManualTime _time = new();
    private RoutingOptions _options = new();
    private readonly TargetHealth _target;

    public TargetHealthTests() => _target = new TargetHealth(new TargetName("openai", "gpt-4.1"), known: true, () => _options, _time);

    public static TheoryData<ProviderFault> OwnFailures() => [ProviderFault.Broken, ProviderFault.Unreachable, ProviderFault.TimedOut, ProviderFault.Overloaded, ProviderFault.CutShort];

    [Theory]
    [MemberData(nameof(OwnFailures))]
    public void Five_failures_in_a_row_open_it_and_four_do_not(ProviderFault fault)
    {
        for (var i = 0; i < 4; i++) Fail(fault);
        Assert.Equal(TargetState.Closed, _target.Look().State);
        Succeed();
        for (var i = 0; i < 4; i++) Fail(fault);
        Assert.Equal(TargetState.Closed, _target.Look().State);

        Fail(fault);

        Assert.Equal((TargetState.Open, 5), (_target.Look().State, _target.Look().Failures));
        var (call, closed) = _target.TryEnter();
        Assert.Null(call);
        Assert.Equal((503, TimeSpan.FromSeconds(10), false), (closed!.Refusal.Status, closed.Refusal.RetryAfter, closed.Passes));
    }

    [Fact]
    public void Half_of_the_last_twenty_open_it_though_never_two_fail_in_a_row()
    {
        for (var i = 0; i < 9; i++) FailAndSucceed();
        Succeed();
        Assert.Equal(TargetState.Closed, _target.Look().State);

        Fail(ProviderFault.Broken);

        Assert.Equal((TargetState.Open, 10), (_target.Look().State, _target.Look().Failures));
        Assert.Contains("failed 10 of its last 20 calls", _target.TryEnter().Closed!.Refusal.Message, StringComparison.Ordinal);
        // What was before is forgotten with the circuit that closes.
        _time.Advance(TimeSpan.FromSeconds(10));
        Succeed();
        FailAndSucceed();
        Assert.Equal((TargetState.Closed, 0), (_target.Look().State, _target.Look().Failures));
    }

    [Fact]
    public void Fewer_older_and_other_failures_are_no_share_that_opens_it()
    {
        for (var i = 0; i < 200; i++)
        {
            Fail(ProviderFault.Broken);
            Succeed();
            Succeed();
        }

        _time.Advance(TimeSpan.FromSeconds(61));
        for (var i = 0; i < 200; i++)
        {
            FailAndSucceed();
            _time.Advance(TimeSpan.FromSeconds(7));
        }

        for (var i = 0; i < 200; i++)
        {
            Fail(ProviderFault.Limited, 429);
            Fail(ProviderFault.Rejected, 400);
            Succeed();
        }

        Assert.Equal(TargetState.Closed, _target.Look().State);
        _options = _options with { ShareToOpen = 1 };
        for (var i = 0; i < 200; i++) FailAndSucceed();
        Assert.Equal(TargetState.Closed, _target.Look().State);
    }

    /// <summary>An upstream that fails every other call by chance: the circuit opens, and soon.</summary>
    [Theory]
    [InlineData(0.5, 1, 60)]
    [InlineData(0.1, 0, 1000)]
    public void An_upstream_that_fails_by_chance_opens_it_where_that_is_often(double share, int opens, int within)
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var (chance, target) = (new SeededSource((ulong)seed), new TargetHealth(new TargetName("openai", "gpt-4.1"), known: true, () => _options, _time));
            var calls = 0;
            while (calls++ < within && target.TryEnter().Call is { } call)
            {
                if (chance.Below(1000) < share * 1000) Fail(call, ProviderFault.Broken, 500, null);
                else call.Succeeded();
                call.Dispose();
            }

            Assert.Equal(opens, target.Look().State == TargetState.Open ? 1 : 0);
        }
    }

    [Fact]
    public void A_target_that_is_only_busy_opens_after_many_refusals_in_a_row_and_says_so()
    {
        for (var i = 0; i < 19; i++) Fail(ProviderFault.Limited, 429);
        Succeed();
        for (var i = 0; i < 19; i++) Fail(ProviderFault.Limited, 429);
        Assert.Equal((TargetState.Closed, true), (_target.Look().State, _target.Rests));

        Fail(ProviderFault.Limited, 429);

        Assert.Equal((TargetState.Open, 20), (_target.Look().State, _target.Look().Failures));
        Assert.Equal((429, "provider_Limited", TimeSpan.FromSeconds(10)), (_target.TryEnter().Closed!.Refusal.Status, _target.TryEnter().Closed!.Refusal.Code, _target.TryEnter().Closed!.Wait));
    }

    [Theory]
    [InlineData(ProviderFault.Rejected, 400)]
    [InlineData(ProviderFault.ModelUnknown, 404)]
    [InlineData(ProviderFault.Unauthorized, 403)]
    public void What_a_client_can_bring_about_closes_a_target_to_nobody(ProviderFault fault, int status)
    {
        for (var i = 0; i < 100; i++) Fail(fault, status);

        Assert.NotNull(_target.TryEnter().Call);
        Assert.NotNull(_target.Look().LastFault);
    }

    [Theory]
    [InlineData(ProviderFault.QuotaSpent, 402, null, 900, false)]
    [InlineData(ProviderFault.QuotaSpent, 429, null, 900, false)]
    [InlineData(ProviderFault.Unauthorized, 401, null, 60, false)]
    [InlineData(ProviderFault.Limited, 429, 7, 7, true)]
    [InlineData(ProviderFault.Overloaded, 503, 30, 30, true)]
    [InlineData(ProviderFault.Limited, 429, 86_400, 3_600, true)]
    public void One_failure_that_says_for_how_long_cools_it_for_so_long(ProviderFault fault, int status, int? retryAfter, int seconds, bool passes)
    {
        Fail(fault, status, retryAfter);

        Assert.Equal(TargetState.Cooling, _target.Look().State);
        _time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromTicks(1));
        var closed = _target.TryEnter().Closed!;
        Assert.Equal((TimeSpan.FromTicks(1), passes), (closed.Wait, closed.Passes));
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.NotNull(_target.TryEnter().Call);
    }

    [Fact]
    public void A_shorter_cool_down_ends_no_longer_one()
    {
        Fail(ProviderFault.QuotaSpent, 402);
        var (call, _) = _target.TryEnter(ownKey: true);
        Assert.NotNull(call);
        Fail(ProviderFault.Limited, 429, 1);

        _time.Advance(TimeSpan.FromSeconds(2));

        Assert.NotNull(_target.TryEnter().Closed);
    }

    /// <summary>github.com/future-agi/future-agi/issues/2693, github.com/App-vNext/Polly/issues/254: once the time was up, everybody was let through.</summary>
    [Fact]
    public async Task Half_open_stampede()
    {
        Open();
        _time.Advance(TimeSpan.FromSeconds(10));
        using var start = new Barrier(16);

        var entered = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Factory.StartNew(
            () =>
            {
                start.SignalAndWait(TimeSpan.FromSeconds(30));
                return Enumerable.Range(0, 100).Count(_ => _target.TryEnter().Call is not null);
            },
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));

        Assert.Equal(1, entered.Sum());
        Assert.Equal((TargetState.HalfOpen, 1), (_target.Look().State, _target.Look().InFlight));
    }

    [Fact]
    public void A_probe_that_answers_closes_it_and_one_that_fails_opens_it_for_twice_as_long()
    {
        Open();
        _time.Advance(TimeSpan.FromSeconds(10));
        Fail(ProviderFault.Broken);
        Assert.Equal(TimeSpan.FromSeconds(20), _target.TryEnter().Closed!.Wait);
        _time.Advance(TimeSpan.FromSeconds(20));

        var probe = _target.TryEnter().Call!;
        Assert.NotNull(_target.TryEnter().Closed);
        probe.Answering();

        Assert.Equal((TargetState.Closed, 0), (_target.Look().State, _target.Look().Failures));
        Assert.NotNull(_target.TryEnter().Call);
    }

    [Fact]
    public void An_open_time_is_doubled_up_to_the_longest()
    {
        Open();
        for (var i = 0; i < 40; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(120));
            Fail(ProviderFault.Broken);
        }

        Assert.Equal(TimeSpan.FromSeconds(120), _target.TryEnter().Closed!.Wait);
    }

    [Fact]
    public void A_probe_whose_client_leaves_proves_nothing_and_the_next_probes()
    {
        Open();
        _time.Advance(TimeSpan.FromSeconds(10));
        using (_target.TryEnter().Call) Assert.NotNull(_target.TryEnter().Closed);

        Assert.Equal(TargetState.HalfOpen, _target.Look().State);
        Assert.NotNull(_target.TryEnter().Call);
    }

    [Fact]
    public void Calls_that_were_under_way_when_it_opened_change_nothing()
    {
        var late = Enumerable.Range(0, 10).Select(_ => _target.TryEnter().Call!).ToArray();
        Open();
        _time.Advance(TimeSpan.FromSeconds(5));
        foreach (var call in late[..5]) Fail(call, ProviderFault.Broken, 500, null);
        late[5].Succeeded();

        Assert.Equal(TimeSpan.FromSeconds(5), _target.TryEnter().Closed!.Wait);
    }

    [Fact]
    public void Answers_that_break_off_one_after_the_other_open_it()
    {
        for (var i = 0; i < 5; i++)
        {
            using var call = _target.TryEnter().Call!;
            call.Answering();
            Fail(call, ProviderFault.CutShort, null, null);
        }

        Assert.Equal(TargetState.Open, _target.Look().State);
    }

    [Fact]
    public void A_callers_own_key_is_none_of_the_platforms_business()
    {
        for (var i = 0; i < 20; i++)
        {
            using var own = _target.TryEnter(ownKey: true).Call!;
            Fail(own, i % 2 == 0 ? ProviderFault.QuotaSpent : ProviderFault.Broken, 402, 60);
        }

        Assert.Equal((TargetState.Closed, 0), (_target.Look().State, _target.Look().Failures));

        // The other way round: a target that is broken is so for every key, and one that cools for ours is not.
        Open();
        Assert.NotNull(_target.TryEnter(ownKey: true).Closed);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.NotNull(_target.TryEnter(ownKey: true).Call);
        Assert.NotNull(_target.TryEnter(ownKey: true).Call);
        Assert.NotNull(_target.TryEnter().Call);
    }

    [Fact]
    public void Retries_are_a_share_of_what_was_answered()
    {
        Assert.Equal(3, Enumerable.Range(0, 100).Count(_ => _target.TryRetry()));
        for (var i = 0; i < 1_000; i++) Succeed();
        // However many were answered: what is saved up has an end.
        Assert.Equal(10, Enumerable.Range(0, 100).Count(_ => _target.TryRetry()));
        for (var i = 0; i < 25; i++) Succeed();

        Assert.Equal(2, Enumerable.Range(0, 100).Count(_ => _target.TryRetry()));
    }

    [Fact]
    public void A_breaker_that_is_off_closes_nothing()
    {
        _options = _options with { Breaker = false };
        for (var i = 0; i < 100; i++) Fail(i % 2 == 0 ? ProviderFault.Broken : ProviderFault.QuotaSpent, 402, 5);

        Assert.NotNull(_target.TryEnter().Call);
    }

    [Fact]
    public void The_first_bytes_mean_follows_the_newest()
    {
        foreach (var ms in new[] { 100, 100, 1_100 })
        {
            using var call = _target.TryEnter().Call!;
            _time.Advance(TimeSpan.FromMilliseconds(ms));
            call.Heard(_time);
            _time.Advance(TimeSpan.FromHours(1));
            call.Heard(_time);
        }

        Assert.Equal(TimeSpan.FromMilliseconds(300), _target.FirstByte);
    }

    private void Open()
    {
        for (var i = 0; i < 5; i++) Fail(ProviderFault.Broken);
        Assert.Equal(TargetState.Open, _target.Look().State);
    }

    private void FailAndSucceed()
    {
        Fail(ProviderFault.Broken);
        Succeed();
    }

    private void Succeed()
    {
        using var call = _target.TryEnter().Call!;
        call.Succeeded();
    }

    private void Fail(ProviderFault fault, int? status = null, int? retryAfter = null)
    {
        using var call = _target.TryEnter().Call ?? _target.TryEnter(ownKey: true).Call!;
        Fail(call, fault, status, retryAfter);
    }

    private static void Fail(TargetCall call, ProviderFault fault, int? status, int? retryAfter)
    {
        var failure = new ProviderException(fault, "no", status, retryAfter: retryAfter is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
        call.Failed(failure, new Refusal(fault switch { ProviderFault.Limited => RefusalKind.Limited, ProviderFault.Overloaded => RefusalKind.Unavailable, _ => RefusalKind.ProviderFailed }, $"provider_{fault}", "no"));
    }
}
