using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Limits;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Limits;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>Limits on several nodes, and on a store that is not always well.</summary>
public sealed class LimitTests(Emulator emulator) : IAsyncLifetime
{
    private static readonly BucketTake Bucket = new("a", 100, 0.001, 1);

    private readonly ManualTime _time = new();
    private readonly List<IDisposable> _open = [];
    private DynamoOptions _options = null!;
    private DynamoLimitStore _plain = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _options = emulator.NewOptions();
        var database = Emulator.Connect(_options);
        _open.Add(database);
        await database.Tables.EnsureAsync(database.Client, database.Time, Ct);
        _plain = new DynamoLimitStore(database, _time);
    }

    public ValueTask DisposeAsync()
    {
        foreach (var each in _open) each.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Two_nodes_share_one_bucket_and_its_slots()
    {
        DynamoLimitStore[] nodes = [Node(), Node()];
        var passed = await Task.WhenAll(Enumerable.Range(0, 64).Select(async worker =>
        {
            var sum = 0;
            for (var i = 0; i < 5; i++) sum += (await TakeAsync(nodes[worker % 2], [Bucket], [], "l")).Refusing is null ? 1 : 0;
            return sum;
        }));
        Assert.Equal(100, passed.Sum());

        Assert.Null((await TakeAsync(nodes[0], [], [new("s", 1)], "l1")).Refusing);
        Assert.Equal(0, (await TakeAsync(nodes[1], [], [new("s", 1)], "l2")).Refusing);
        await nodes[1].ReturnAsync(Request([], [new("s", 1)], "l1"), Ct);
        Assert.Null((await TakeAsync(nodes[1], [], [new("s", 1)], "l2")).Refusing);
    }

    [Theory]
    [InlineData("UpdateItem", Fault.Throttled)]
    [InlineData("UpdateItem", Fault.AnswerLost)]
    [InlineData("UpdateItem", Fault.ConnectionLost)]
    [InlineData("GetItem", Fault.Throttled)]
    internal async Task One_limit_is_taken_once_and_returned_once_whatever_happens_to_the_write(string operation, Fault fault)
    {
        foreach (var slots in new SlotTake[][] { [], [new("s", 1)] })
        {
            // Once on a bucket that is new, once on one that is not full.
            for (var round = 0; round < 2; round++)
            {
                BucketTake[] buckets = slots.Length == 0 ? [Bucket with { Amount = 10 }] : [];
                var taking = FaultyHttp.First(operation, fault, 3);
                Assert.Null((await TakeAsync(Node(taking), buckets, slots, "l")).Refusing);
                Assert.Equal(3, taking.Made[fault]);
            }
        }

        Assert.Equal(80, await LeftAsync(), 0.01);
        Assert.Equal(0, (await TakeAsync(_plain, [], [new("s", 1)], "m")).Refusing);

        if (operation == "GetItem") return;
        var returning = FaultyHttp.First(operation, fault, 3);
        await Node(returning).ReturnAsync(Request([Bucket with { Amount = -30 }], [], "l"), Ct);
        Assert.Equal(50, await LeftAsync(), 0.01);
        returning = FaultyHttp.First(operation, fault, 3);
        await Node(returning).ReturnAsync(Request([Bucket with { Amount = 20 }], [], "l"), Ct);
        Assert.Equal(70, await LeftAsync(), 0.01);
        returning = FaultyHttp.First(operation, fault, 3);
        await Node(returning).ReturnAsync(Request([], [new("s", 1)], "l"), Ct);
        Assert.Null((await TakeAsync(_plain, [], [new("s", 1)], "m")).Refusing);
    }

    [Theory]
    [InlineData(Fault.Throttled)]
    [InlineData(Fault.Conflict)]
    [InlineData(Fault.AnswerLost)]
    [InlineData(Fault.ConnectionLost)]
    internal async Task Several_limits_are_taken_once_whatever_happens_to_the_transaction(Fault fault)
    {
        for (var round = 0; round < 2; round++)
        {
            var taking = FaultyHttp.First("TransactWriteItems", fault, 3);
            Assert.Null((await TakeAsync(Node(taking), [Bucket with { Amount = 10 }, new("b", 50, 0.001, 1)], [new("s", 3)], $"l{round}")).Refusing);
            Assert.Equal(3, taking.Made[fault]);
        }

        Assert.Equal(80, await LeftAsync(), 0.01);
        Assert.Null((await TakeAsync(_plain, [], [new("s", 3)], "m")).Refusing);
        Assert.Equal(0, (await TakeAsync(_plain, [], [new("s", 3)], "n")).Refusing);
    }

    [Fact]
    public async Task A_node_whose_clock_is_behind_takes_no_refill_and_takes_none_from_others()
    {
        var ahead = _time.GetUtcNow() + TimeSpan.FromSeconds(5);
        var (clock, bucket) = (new ManualTime(ahead), new BucketTake("a", 10, 1, 1));
        var (here, behind) = (Node(time: clock), Node());
        await TakeAsync(here, [bucket with { Amount = 10 }], [], "l");

        var refused = await TakeAsync(behind, [bucket], [], "l");
        Assert.Equal((0, TimeSpan.FromSeconds(6)), (refused.Refusing, refused.Wait));
        await behind.ReturnAsync(Request([bucket with { Amount = -1 }], [], "l"), Ct);

        clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(2, (await TakeAsync(here, [bucket with { Amount = 0 }], [], "l")).Left[0], 0.001);
    }

    [Fact]
    public async Task Leases_of_nodes_that_died_are_cleared_away_however_many()
    {
        SlotTake[] slots = [new("s", 60)];
        for (var i = 0; i < 60; i++) await TakeAsync(_plain, [], slots, $"dead{i}");
        Assert.Equal(0, (await TakeAsync(_plain, [], slots, "l")).Refusing);

        _time.Advance(TimeSpan.FromMinutes(15));

        for (var i = 0; i < 60; i++) Assert.Null((await TakeAsync(_plain, [], slots, $"l{i}")).Refusing);
        Assert.Equal(0, (await TakeAsync(_plain, [], slots, "l")).Refusing);
    }

    [Fact]
    public async Task A_debt_beyond_all_time_is_no_end_of_the_bucket()
    {
        for (var i = 0; i < 20; i++) await _plain.ReturnAsync(Request([Bucket with { Amount = -1e15 }], [], "l"), Ct);

        var refused = await TakeAsync(_plain, [Bucket], [], "l");

        Assert.Equal(0, refused.Refusing);
        await _plain.ReturnAsync(Request([Bucket with { Amount = 1e15 }], [], "l"), Ct);
    }

    private static LimitRequest Request(BucketTake[] buckets, SlotTake[] slots, string lease) =>
        new() { Tenant = new TenantId("acme"), Buckets = buckets, Slots = slots, Lease = lease, LeaseFor = TimeSpan.FromMinutes(15) };

    private static async Task<LimitDecision> TakeAsync(DynamoLimitStore store, BucketTake[] buckets, SlotTake[] slots, string lease) => await store.TakeAsync(Request(buckets, slots, lease), Ct);

    private async Task<double> LeftAsync() => (await TakeAsync(_plain, [Bucket with { Amount = 0 }], [], "look")).Left[0];

    private DynamoLimitStore Node(FaultyHttp? faults = null, ManualTime? time = null)
    {
        var database = Emulator.Connect(_options, faults);
        _open.Add(database);
        return new DynamoLimitStore(database, time ?? _time);
    }
}
