using System.Collections.Concurrent;
using Penstock.Kernel;
using Penstock.Limits;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every limit store must do. An adapter's tests derive from this.</summary>
public abstract class LimitStoreContract : IAsyncLifetime
{
    private const int Workers = 64;

    private static readonly TenantId Acme = new("acme");
    private static readonly TimeSpan LeaseFor = TimeSpan.FromMinutes(15);

    private readonly ManualTime _time = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private ILimitStore Store { get; set; } = null!;

    public async ValueTask InitializeAsync() => Store = await OpenAsync(_time);

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>How often each worker asks, where many do at once; more for a store that answers sooner than two workers could meet.</summary>
    protected virtual int Rounds => 10;

    /// <summary>An empty store on this clock.</summary>
    protected abstract ValueTask<ILimitStore> OpenAsync(TimeProvider time);

    protected abstract ValueTask CloseAsync();

    [Fact]
    public async Task Of_eleven_at_once_ten_pass_a_burst_of_ten_and_then_five_a_second()
    {
        var bucket = new BucketTake("a", 10, 5, 1);
        for (var i = 0; i < 10; i++) Assert.True(await PassesAsync(bucket));
        Assert.Equal(TimeSpan.FromMilliseconds(200), (await TakeAsync([bucket])).Wait);

        var passed = 0;
        for (var i = 0; i < 500; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(20));
            if (await PassesAsync(bucket)) passed++;
        }

        Assert.InRange(passed, 49, 51);
    }

    [Fact]
    public async Task A_new_bucket_is_full_and_what_is_left_is_told()
    {
        var decision = await TakeAsync([new("a", 100, 1, 30), new("b", 5, 1, 0.5)]);

        Assert.Null(decision.Refusing);
        AssertLeft(decision, 70, 4.5);
    }

    [Fact]
    public async Task A_bucket_refills_up_to_its_size_and_no_further()
    {
        await TakeAsync([new("a", 10, 2, 10)]);

        _time.Advance(TimeSpan.FromSeconds(3));
        AssertLeft(await TakeAsync([new("a", 10, 2, 0)]), 6);
        _time.Advance(TimeSpan.FromDays(30));
        AssertLeft(await TakeAsync([new("a", 10, 2, 0)]), 10);
    }

    [Fact]
    public async Task Whoever_waits_as_told_passes()
    {
        foreach (var (rate, amount) in new (double, double)[] { (3, 1), (0.7, 1), (333.3, 10), (1_000_000 / 60.0, 4321) })
        {
            var bucket = new BucketTake($"a{rate}", 10_000, rate, amount);
            await TakeAsync([bucket with { Amount = 10_000 }]);
            var wait = (await TakeAsync([bucket])).Wait;
            Assert.Equal(amount / rate, wait.TotalSeconds, 1e-6);

            _time.Advance(wait);

            Assert.True(await PassesAsync(bucket), $"{rate} a second");
            Assert.False(await PassesAsync(bucket), $"{rate} a second");
        }
    }

    [Fact]
    public async Task A_refusal_takes_nothing_of_anything()
    {
        BucketTake[] both = [new("a", 10, 1, 1), new("b", 1, 0.001, 1)];
        Assert.Null((await TakeAsync(both, [new("s", 5)], "l1")).Refusing);

        for (var i = 0; i < 20; i++)
        {
            var refused = await TakeAsync(both, [new("s", 5)], $"r{i}");
            Assert.Equal(1, refused.Refusing);
            AssertLeft(refused, 9, 0);
        }

        AssertLeft(await TakeAsync([both[0] with { Amount = 0 }]), 9);
        for (var i = 0; i < 4; i++) Assert.Null((await TakeAsync([], [new("s", 5)], $"n{i}")).Refusing);
        Assert.Equal(0, (await TakeAsync([], [new("s", 5)], "n5")).Refusing);
    }

    [Fact]
    public async Task A_slot_that_is_not_free_leaves_the_buckets_and_the_other_slots_alone()
    {
        await TakeAsync([], [new("full", 1)], "l1");

        var refused = await TakeAsync([new("a", 10, 1, 4)], [new("free", 1), new("full", 1)], "l2");

        Assert.Equal((2, TimeSpan.Zero), (refused.Refusing, refused.Wait));
        AssertLeft(refused, 10);
        Assert.Null((await TakeAsync([], [new("free", 1)], "l3")).Refusing);
    }

    [Fact]
    public async Task The_bucket_that_needs_longest_is_the_one_that_refuses()
    {
        BucketTake[] all = [new("a", 1, 1, 1), new("b", 1, 0.1, 1), new("c", 1, 0.5, 1)];
        await TakeAsync(all);

        var refused = await TakeAsync(all, [new("s", 1)]);

        Assert.Equal((1, TimeSpan.FromSeconds(10)), (refused.Refusing, refused.Wait));
    }

    [Fact]
    public async Task What_is_returned_can_be_taken_again_and_no_more_than_that()
    {
        await TakeAsync([new("a", 10, 0.001, 10)]);

        await ReturnAsync([new("a", 10, 0.001, 4)]);
        AssertLeft(await TakeAsync([new("a", 10, 0.001, 0)]), 4);
        await ReturnAsync([new("a", 10, 0.001, 40)]);
        AssertLeft(await TakeAsync([new("a", 10, 0.001, 0)]), 10);
    }

    [Fact]
    public async Task What_was_used_beyond_the_taken_leaves_the_bucket_below_empty_and_is_waited_for()
    {
        var bucket = new BucketTake("a", 60, 1, 10);
        await TakeAsync([bucket with { Amount = 60 }]);

        await ReturnAsync([bucket with { Amount = -20 }]);

        AssertLeft(await TakeAsync([bucket with { Amount = 0 }]), -20);
        var refused = await TakeAsync([bucket]);
        Assert.Equal((0, TimeSpan.FromSeconds(30)), (refused.Refusing, refused.Wait));
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(await PassesAsync(bucket));
    }

    [Fact]
    public async Task A_return_to_a_bucket_nobody_has_taken_from_is_no_gift()
    {
        await ReturnAsync([new("a", 10, 1, 5), new("b", 10, 1, -5)]);

        AssertLeft(await TakeAsync([new("a", 10, 1, 0), new("b", 10, 1, 0)]), 10, 5);
    }

    [Fact]
    public async Task A_size_that_changed_is_in_force_at_once()
    {
        await TakeAsync([new("a", 100, 1, 2)]);

        // Whether what was taken before counts against the new size is the store's to choose.
        Assert.InRange((await TakeAsync([new("a", 5, 1, 1)])).Left[0], 2, 4);
        Assert.InRange((await TakeAsync([new("a", 100, 1, 1)])).Left[0], 1, 96);
    }

    [Fact]
    public async Task There_are_as_many_slots_as_said_and_a_returned_one_is_free_again()
    {
        SlotTake[] slots = [new("s", 2)];
        Assert.Null((await TakeAsync([], slots, "l1")).Refusing);
        Assert.Null((await TakeAsync([], slots, "l2")).Refusing);
        Assert.Equal(0, (await TakeAsync([], slots, "l3")).Refusing);

        await ReturnAsync([], slots, "l1");

        Assert.Null((await TakeAsync([], slots, "l3")).Refusing);
        Assert.Equal(0, (await TakeAsync([], slots, "l4")).Refusing);
    }

    [Fact]
    public async Task A_slot_is_freed_once_and_by_its_holder_only()
    {
        SlotTake[] slots = [new("s", 2)];
        await TakeAsync([], slots, "l1");
        await TakeAsync([], slots, "l2");

        await ReturnAsync([], slots, "nobody");
        Assert.Equal(0, (await TakeAsync([], slots, "l3")).Refusing);
        await ReturnAsync([], slots, "l1");
        await ReturnAsync([], slots, "l1");

        Assert.Null((await TakeAsync([], slots, "l3")).Refusing);
        Assert.Equal(0, (await TakeAsync([], slots, "l4")).Refusing);
    }

    [Fact]
    public async Task A_slot_that_nobody_returned_is_free_after_its_time()
    {
        SlotTake[] slots = [new("s", 1)];
        await TakeAsync([], slots, "dead");

        _time.Advance(LeaseFor - TimeSpan.FromSeconds(1));
        Assert.Equal(0, (await TakeAsync([], slots, "l2")).Refusing);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null((await TakeAsync([], slots, "l2")).Refusing);

        // The dead one's late return takes nobody's place away.
        await ReturnAsync([], slots, "dead");
        Assert.Equal(0, (await TakeAsync([], slots, "l3")).Refusing);
    }

    [Fact]
    public async Task A_lease_that_takes_its_slot_again_keeps_it_and_its_time_begins_anew()
    {
        SlotTake[] slots = [new("s", 1)];
        await TakeAsync([], slots, "l1");
        _time.Advance(LeaseFor - TimeSpan.FromSeconds(1));

        Assert.Null((await TakeAsync([], slots, "l1")).Refusing);

        _time.Advance(LeaseFor - TimeSpan.FromSeconds(1));
        Assert.Equal(0, (await TakeAsync([], slots, "l2")).Refusing);
        await ReturnAsync([], slots, "l1");
        Assert.Null((await TakeAsync([], slots, "l2")).Refusing);
    }

    [Fact]
    public async Task A_lowered_limit_lets_nobody_in_until_enough_have_left()
    {
        for (var i = 0; i < 3; i++) await TakeAsync([], [new("s", 3)], $"l{i}");

        await ReturnAsync([], [new("s", 1)], "l0");
        await ReturnAsync([], [new("s", 1)], "l1");
        Assert.Equal(0, (await TakeAsync([], [new("s", 1)], "n")).Refusing);
        await ReturnAsync([], [new("s", 1)], "l2");

        Assert.Null((await TakeAsync([], [new("s", 1)], "n")).Refusing);
    }

    [Fact]
    public async Task Tenants_share_nothing()
    {
        BucketTake[] bucket = [new("a", 1, 0.001, 1)];
        SlotTake[] slots = [new("s", 1)];
        Assert.Null((await TakeAsync(bucket, slots, "l1")).Refusing);

        Assert.Null((await Store.TakeAsync(Request(bucket, slots, "l1") with { Tenant = new("other") }, Ct)).Refusing);

        Assert.Equal(0, (await TakeAsync(bucket, slots, "l2")).Refusing);
        await Store.ReturnAsync(Request([bucket[0] with { Amount = 1 }], slots, "l1") with { Tenant = new("other") }, Ct);
        Assert.Equal(0, (await TakeAsync(bucket, slots, "l2")).Refusing);
    }

    [Fact]
    public async Task Many_at_once_get_exactly_what_a_bucket_holds()
    {
        var half = Workers * Rounds / 2;
        var passed = await AtOnceAsync(async (_, _) => await PassesAsync(new BucketTake("a", half, 0.001, 1)) ? 1 : 0);

        Assert.Equal(half, passed);
        AssertLeft(await TakeAsync([new("a", half, 0.001, 0)]), 0);
    }

    [Fact]
    public async Task Many_at_once_over_several_buckets_take_all_or_nothing()
    {
        var (half, third) = (Workers * Rounds / 2, Workers * Rounds / 6);
        BucketTake all = new("all", half, 0.001, 1);
        BucketTake[] some = [.. Enumerable.Range(0, 4).Select(i => new BucketTake($"some{i}", third, 0.001, 1))];

        // In either order, so that two could wait for each other.
        var passed = await AtOnceAsync(async (worker, _) => (await TakeAsync(worker % 8 < 4 ? [all, some[worker % 4]] : [some[worker % 4], all])).Refusing is null ? 1 : 0);

        Assert.Equal(half, passed);
        var left = Rounded(await TakeAsync([all with { Amount = 0 }, .. some.Select(bucket => bucket with { Amount = 0 })]));
        Assert.Equal(0, left[0]);
        Assert.Equal(half, left.Skip(1).Sum(each => third - each));
    }

    [Fact]
    public async Task Many_at_once_never_hold_more_slots_than_there_are_and_leave_none_behind()
    {
        SlotTake[] slots = [new("s", 5), new("t", 7)];
        BucketTake[] bucket = [new("a", 100_000, 1, 3)];
        var (inside, most, entered) = (0, 0, 0);
        await AtOnceAsync(async (worker, round) =>
        {
            var lease = $"{worker}.{round}";
            if ((await TakeAsync(bucket, slots, lease)).Refusing is not null) return 0;
            Interlocked.Increment(ref entered);
            InterlockedMax(ref most, Interlocked.Increment(ref inside));
            await Task.Yield();
            Interlocked.Decrement(ref inside);
            await ReturnAsync(bucket, slots, lease);
            return 1;
        });

        Assert.InRange(most, 1, 5);
        Assert.True(entered >= 10, $"{entered} entered");
        AssertLeft(await TakeAsync([bucket[0] with { Amount = 0 }]), 100_000);
        for (var i = 0; i < 5; i++) Assert.Null((await TakeAsync([], slots, $"after{i}")).Refusing);
        Assert.Equal(0, (await TakeAsync([], slots, "after")).Refusing);
    }

    [Fact]
    public async Task Many_at_once_that_take_and_correct_leave_what_they_did_not_use()
    {
        BucketTake take = new("a", 1e9, 1, 100);
        await AtOnceAsync(async (worker, round) =>
        {
            Assert.True(await PassesAsync(take));
            await ReturnAsync([take with { Amount = 100 - Used(worker, round) }]);
            return 0;
        });

        AssertLeft(await TakeAsync([take with { Amount = 0 }]), 1e9 - Enumerable.Range(0, Workers).Sum(worker => Enumerable.Range(0, Rounds).Sum(round => Used(worker, round))));
        static int Used(int worker, int round) => worker + (round % 50);
    }

    /// <summary>Steps of whole seconds and whole amounts, so that the model never rounds.</summary>
    [Fact]
    public async Task Every_decision_is_that_of_a_plain_model()
    {
        for (ulong seed = 1; seed <= 20; seed++)
        {
            var seeded = new SeededSource(seed);
            var model = new LimitModel(seed, seeded);
            for (var step = 0; step < 60; step++)
            {
                var seconds = seeded.Below(3) == 0 ? seeded.Below(4) : 0;
                _time.Advance(TimeSpan.FromSeconds(seconds));
                model.Pass(seconds);
                if (seeded.Below(3) == 0)
                {
                    var (back, freed, of) = model.Return();
                    await ReturnAsync(back, freed, of);
                    continue;
                }

                var (buckets, slots, lease) = model.Wanted();
                var expected = model.Take(buckets, slots, lease);
                var decision = await TakeAsync(buckets, slots, lease);
                Assert.True(expected.Refusing == decision.Refusing, $"seed {seed} step {step}: {decision.Refusing} and not {expected.Refusing}");
                Assert.Equal(expected.Left, Rounded(decision));
            }
        }
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most)) Interlocked.CompareExchange(ref most, value, seen);
    }

    private static double[] Rounded(LimitDecision decision) => [.. decision.Left.Select(left => Math.Round(left, 2) + 0.0)];

    private static void AssertLeft(LimitDecision decision, params double[] left) => Assert.Equal(left, Rounded(decision));

    private static LimitRequest Request(BucketTake[] buckets, SlotTake[] slots, string lease) => new() { Tenant = Acme, Buckets = buckets, Slots = slots, Lease = lease, LeaseFor = LeaseFor };

    private async Task<int> AtOnceAsync(Func<int, int, Task<int>> work)
    {
        var sums = new ConcurrentBag<int>();
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(
            async () =>
            {
                for (var round = 0; round < Rounds; round++) sums.Add(await work(worker, round));
            },
            Ct)));
        return sums.Sum();
    }

    private async Task<bool> PassesAsync(BucketTake bucket) => (await TakeAsync([bucket])).Refusing is null;

    private async Task<LimitDecision> TakeAsync(BucketTake[] buckets, SlotTake[]? slots = null, string lease = "lease") => await Store.TakeAsync(Request(buckets, slots ?? [], lease), Ct);

    private async Task ReturnAsync(BucketTake[] buckets, SlotTake[]? slots = null, string lease = "lease") => await Store.ReturnAsync(Request(buckets, slots ?? [], lease), Ct);
}
