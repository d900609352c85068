using System.Security.Cryptography;
using Amazon.DynamoDBv2.Model;
using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Cache;
using Penstock.Aws.DynamoDb.Idempotency;
using Penstock.Gateway.Cache;
using Penstock.Idempotency;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>What only DynamoDB can do to cached and idempotent answers: lose its own, leave out part of a batch, keep what nothing refers to.</summary>
public sealed class AnswerTests(Emulator emulator) : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly DateTimeOffset KeepUntil = Now.AddHours(24);
    private static readonly IdempotencyName Name = new(new TenantId("acme"), new KeyId("k1"), "order 4711");
    private static readonly byte[] Large = RandomNumberGenerator.GetBytes(1_500_000);

    private DynamoOptions _options = null!;
    private DynamoDatabase _database = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _options = emulator.NewOptions();
        _database = Emulator.Connect(_options);
        await _database.Tables.EnsureAsync(_database.Client, _database.Time, Ct);
    }

    public ValueTask DisposeAsync()
    {
        _database.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(Fault.AnswerLost)]
    [InlineData(Fault.ConnectionLost)]
    internal async Task A_claim_is_its_owners_though_the_answer_to_it_is_lost(Fault fault)
    {
        var faults = FaultyHttp.First("PutItem", fault, 2);
        using var database = Emulator.Connect(_options, faults);

        Assert.Equal(ClaimKind.Started, (await new DynamoIdempotencyStore(database).ClaimAsync(Claim("a"), Now, Ct)).Kind);

        Assert.Equal(2, faults.Made[fault]);
        Assert.Equal(ClaimKind.Running, (await new DynamoIdempotencyStore(_database).ClaimAsync(Claim("b"), Now, Ct)).Kind);
    }

    [Theory]
    [InlineData(Fault.AnswerLost)]
    [InlineData(Fault.ConnectionLost)]
    internal async Task An_answer_is_kept_though_the_answer_to_it_is_lost(Fault fault)
    {
        await new DynamoIdempotencyStore(_database).ClaimAsync(Claim("a"), Now, Ct);
        var faults = FaultyHttp.First("UpdateItem", fault, 2);
        using var database = Emulator.Connect(_options, faults);

        Assert.True(await new DynamoIdempotencyStore(database).CompleteAsync(Name, "a", Large, KeepUntil, Ct));

        Assert.Equal(2, faults.Made[fault]);
        Assert.True((await new DynamoIdempotencyStore(_database).ClaimAsync(Claim("b"), Now, Ct)).Answer.Span.SequenceEqual(Large));
    }

    [Fact]
    public async Task An_answer_is_whole_though_a_batch_leaves_pieces_out()
    {
        await new DynamoIdempotencyStore(_database).ClaimAsync(Claim("a"), Now, Ct);
        await new DynamoIdempotencyStore(_database).CompleteAsync(Name, "a", Large, KeepUntil, Ct);
        var faults = FaultyHttp.First("BatchGetItem", Fault.Unprocessed, 2);
        using var database = Emulator.Connect(_options, faults);

        var found = await new DynamoIdempotencyStore(database).ClaimAsync(Claim("b"), Now, Ct);

        Assert.Equal(2, faults.Made[Fault.Unprocessed]);
        Assert.True(found.Answer.Span.SequenceEqual(Large));
    }

    [Fact]
    public async Task An_answer_that_comes_too_late_leaves_no_pieces()
    {
        var store = new DynamoIdempotencyStore(_database);
        await store.ClaimAsync(Claim("a"), Now, Ct);

        Assert.False(await store.CompleteAsync(Name, "b", Large, KeepUntil, Ct));

        Assert.Single(await _database.ScanAsync(_database.Tables.Idempotency, Ct));
    }

    [Fact]
    public async Task An_answer_of_which_a_piece_is_gone_is_an_error_and_not_a_shorter_answer()
    {
        var store = new DynamoIdempotencyStore(_database);
        await store.ClaimAsync(Claim("a"), Now, Ct);
        await store.CompleteAsync(Name, "a", Large, KeepUntil, Ct);
        var piece = (await _database.ScanAsync(_database.Tables.Idempotency, Ct)).First(item => item.Has("bytes"));
        await _database.DeleteAsync(_database.Tables.Idempotency, [new Item().Set("id", piece.Text("id"))], Ct);

        await Assert.ThrowsAsync<InvalidDataException>(() => store.ClaimAsync(Claim("b"), Now, Ct));
    }

    [Fact]
    public async Task Drop_takes_the_head_at_its_time_and_its_pieces_an_hour_later()
    {
        var store = new DynamoIdempotencyStore(_database);
        await store.ClaimAsync(Claim("a"), Now, Ct);
        await store.CompleteAsync(Name, "a", Large, KeepUntil, Ct);

        Assert.Equal(0, await store.DropAsync(KeepUntil.AddMilliseconds(-1), Ct));
        Assert.Equal(1, await store.DropAsync(KeepUntil, Ct));
        Assert.All(await _database.ScanAsync(_database.Tables.Idempotency, Ct), item => Assert.True(item.Has("bytes")));
        Assert.Equal(6, await store.DropAsync(KeepUntil.AddHours(1), Ct));

        Assert.Empty(await _database.ScanAsync(_database.Tables.Idempotency, Ct));
    }

    [Fact]
    public async Task Trim_drops_every_expired_answer_and_no_other()
    {
        var store = new DynamoCacheStore(_database);
        foreach (var i in Enumerable.Range(0, 250)) await store.PutAsync(Name.Tenant, new CacheKey($"k{i}"), Answer(Now), Ct);
        await store.PutAsync(Name.Tenant, new CacheKey("kept"), Answer(Now.AddMilliseconds(1)), Ct);

        Assert.Equal(250, await store.TrimAsync(Now, 0, Ct));

        var kept = Assert.Single(await _database.ScanAsync(_database.Tables.Cache, Ct));
        Assert.NotNull(await store.FindAsync(Name.Tenant, new CacheKey("kept"), Now, Ct));
        // DynamoDB itself drops it, and not before it expired.
        Assert.Equal(Now.ToUnixTimeSeconds() + 1, kept.Long("ttl"));
    }

    [Fact]
    public async Task An_answer_that_is_put_anew_while_the_old_one_is_dropped_stays()
    {
        var (store, faults) = (new DynamoCacheStore(_database), new FaultyHttp(_ => null));
        using var database = Emulator.Connect(_options, faults);
        await store.PutAsync(Name.Tenant, new CacheKey("k"), Answer(Now), Ct);
        faults.BeforeNext("DeleteItem", () => store.PutAsync(Name.Tenant, new CacheKey("k"), Answer(Now.AddDays(1)), Ct));

        Assert.Equal(0, await new DynamoCacheStore(database).TrimAsync(Now, 0, Ct));

        Assert.NotNull(await store.FindAsync(Name.Tenant, new CacheKey("k"), Now, Ct));
    }

    [Fact]
    public async Task The_index_by_which_answers_are_dropped_holds_no_bodies()
    {
        foreach (var name in new[] { _database.Tables.Idempotency, _database.Tables.Cache })
        {
            var index = Assert.Single((await _database.Client.DescribeTableAsync(new DescribeTableRequest(name), Ct)).Table.GlobalSecondaryIndexes);
            Assert.Equal((DynamoTables.ByDue, "KEYS_ONLY"), (index.IndexName, index.Projection.ProjectionType.Value));
        }
    }

    private static IdempotencyClaim Claim(string owner) => new(Name, new byte[32], owner, Now.AddSeconds(60), KeepUntil);

    private static CachedAnswer Answer(DateTimeOffset expiresAt) => new()
    {
        ContentType = "application/json",
        Body = new byte[] { 1 },
        Provider = "openai",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(10, 5),
        Cost = Money.Zero,
        At = Now.AddDays(-1),
        ExpiresAt = expiresAt,
    };
}
