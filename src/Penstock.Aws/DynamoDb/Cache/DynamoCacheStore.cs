using Penstock.Gateway.Cache;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Cache;

/// <summary>
/// Answers in DynamoDB, one item each: <c>t#tenant#key</c>. Times are kept to the millisecond. The table grows with what is put and has no bound in bytes:
/// an answer is there until it expires.
/// </summary>
internal sealed class DynamoCacheStore(DynamoDatabase database) : ICacheStore
{
    private const int DroppedAtOnce = 200;

    private readonly Expiry _expiry = new(database, database.Tables.Cache);

    public async Task<CachedAnswer?> FindAsync(TenantId tenant, CacheKey key, DateTimeOffset now, CancellationToken ct)
    {
        var item = await database.GetAsync(database.Tables.Cache, KeyOf(tenant, key), ct);
        return item is not null && item.Long("dueAt") > now.ToUnixTimeMilliseconds() ? Read(item) : null;
    }

    public Task PutAsync(TenantId tenant, CacheKey key, CachedAnswer answer, CancellationToken ct) => database.PutAsync(database.Tables.Cache, Write(KeyOf(tenant, key), answer), ct);

    public async Task<int> TrimAsync(DateTimeOffset now, long mostBytes, CancellationToken ct)
    {
        var all = 0;
        while (true)
        {
            var count = await _expiry.DropAsync(now, DroppedAtOnce, ct);
            all += count;
            if (count < DroppedAtOnce) return all;
        }
    }

    private static Item KeyOf(TenantId tenant, CacheKey key) => new Item().Set("id", $"t#{KeyPart.Of(tenant.Value)}#{KeyPart.Of(key.Value)}");

    private static Item Write(Item key, CachedAnswer answer) => Expiry.Mark(key, answer.ExpiresAt)
        .Set("at", answer.At.ToUnixTimeMilliseconds())
        .Set("content_type", answer.ContentType)
        .Set("provider", answer.Provider)
        .Set("model", answer.Model)
        .Set("input", answer.Tokens.Input)
        .Set("cache_read", answer.Tokens.CacheRead)
        .Set("cache_write_5m", answer.Tokens.CacheWrite5m)
        .Set("cache_write_1h", answer.Tokens.CacheWrite1h)
        .Set("output", answer.Tokens.Output)
        .Set("reasoning", answer.Tokens.Reasoning)
        .Set("cost_nanos", answer.Cost.NanoDollars)
        .Set("body", answer.Body);

    private static CachedAnswer Read(Item item) => new()
    {
        At = DateTimeOffset.FromUnixTimeMilliseconds(item.Long("at")),
        ExpiresAt = DateTimeOffset.FromUnixTimeMilliseconds(item.Long("dueAt")),
        ContentType = item.Text("content_type"),
        Provider = item.Text("provider"),
        Model = item.Text("model"),
        Tokens = new TokenCounts(item.Long("input"), item.Long("cache_read"), item.Long("cache_write_5m"), item.Long("cache_write_1h"), item.Long("output"), item.Long("reasoning")),
        Cost = new Money(item.Long("cost_nanos")),
        Body = item.BytesOrNull("body")!.Value,
    };
}
