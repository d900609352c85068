using Penstock.Gateway.Cache;
using Penstock.Kernel;
using Penstock.Sqlite.Cache;
using Penstock.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

/// <summary>The embedded store has no bound of its own: the cache's is kept by trimming.</summary>
public sealed class CacheTrimTests : IAsyncLifetime
{
    private const int BodyBytes = 10_000;

    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");

    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase _database = null!;
    private SqliteCacheStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _store = new SqliteCacheStore(_database = _folder.Open());
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task What_expired_goes_first_and_then_the_oldest_until_the_rest_fits()
    {
        for (var i = 0; i < 450; i++) await _store.PutAsync(i % 2 == 0 ? Acme : new TenantId("rival"), Key(i), Answer(Now.AddSeconds(i), Now.AddHours(1)), Ct);
        for (var i = 450; i < 700; i++) await _store.PutAsync(Acme, Key(i), Answer(Now.AddSeconds(i), Now), Ct);

        var dropped = await _store.TrimAsync(Now, 12 * (BodyBytes + 1_000), Ct);

        // 250 that expired, and all but the last 12 of the others; a row's own weight takes part.
        Assert.Equal(250 + 438, dropped);
        Assert.Equal(Enumerable.Range(438, 12), await FoundAsync());
        Assert.Equal(0, await _store.TrimAsync(Now, 12 * (BodyBytes + 1_000), Ct));
    }

    [Fact]
    public async Task A_bound_of_nothing_keeps_nothing()
    {
        for (var i = 0; i < 3; i++) await _store.PutAsync(Acme, Key(i), Answer(Now, Now.AddHours(1)) with { Body = default }, Ct);

        Assert.Equal(3, await _store.TrimAsync(Now, 0, Ct));
        Assert.Empty(await FoundAsync());
    }

    private async Task<List<int>> FoundAsync()
    {
        var found = new List<int>();
        for (var i = 0; i < 700; i++)
        {
            if ((await _store.FindAsync(i % 2 == 0 || i >= 450 ? Acme : new TenantId("rival"), Key(i), Now.AddSeconds(-1), Ct)) is not null) found.Add(i);
        }

        return found;
    }

    private static CacheKey Key(int i) => new($"{i:x64}");

    private static CachedAnswer Answer(DateTimeOffset at, DateTimeOffset expiresAt) => new()
    {
        ContentType = "application/json",
        Body = new byte[BodyBytes],
        Provider = "openai",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(1, 1),
        Cost = Money.Zero,
        At = at,
        ExpiresAt = expiresAt,
    };
}
