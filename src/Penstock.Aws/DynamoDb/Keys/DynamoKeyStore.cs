using System.Globalization;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Aws.DynamoDb.Keys;

/// <summary>
/// Keys in DynamoDB: <c>key#id / key</c> holds a key, and <c>t#tenant#keys / time#id</c> lists it. A tenant and a project are there as soon as a key of
/// theirs is.
/// </summary>
internal sealed class DynamoKeyStore(DynamoDatabase database) : IKeyStore
{
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string IsTenants = "#tenant = :tenant";
    private const string InTenantsList = "#pk = :pk";

    private const string SetRevoked = "SET #revoked_at = if_not_exists(#revoked_at, :at)";

    // A repetition after a time-out must not make the new hash the previous one too.
    private const string SetHash = "SET #previous_hash = #hash, #previous_until = :until, #hash = :hash";
    private const string MayRotate = $"{IsTenants} AND attribute_not_exists(#revoked_at) AND #hash <> :hash";

    public async Task<bool> AddAsync(KeyRecord key, CancellationToken ct)
    {
        var transaction = new Transaction();
        transaction.Put(database.Tables.Keys, Write(key), IsNew);
        transaction.Put(database.Tables.Keys, Item.Key(ListOf(key.Tenant), ListedAs(key)).Set("key", key.Id.Value));
        return (await database.WriteAsync(transaction, database.NewToken(), ct)).Written;
    }

    public async Task<KeyRecord?> FindAsync(KeyId id, CancellationToken ct) => await database.GetAsync(database.Tables.Keys, KeyOf(id), ct) is { } item ? Read(item) : null;

    public async Task<KeyRecord?> GetAsync(TenantId tenant, KeyId id, CancellationToken ct) => await FindAsync(id, ct) is { } key && key.Tenant == tenant ? key : null;

    public async Task<IReadOnlyList<KeyRecord>> ListAsync(TenantId tenant, CancellationToken ct)
    {
        var listed = await database.QueryAsync(database.Tables.Keys, InTenantsList, new Item().Set(":pk", ListOf(tenant)), ct);
        var items = await database.GetAsync(database.Tables.Keys, [.. listed.Select(item => KeyOf(new KeyId(item.Text("key"))))], ct);
        return [.. items.Select(Read).OrderBy(key => key.CreatedAt).ThenBy(key => key.Id.Value, StringComparer.Ordinal)];
    }

    public async Task<bool> RevokeAsync(TenantId tenant, KeyId id, DateTimeOffset at, CancellationToken ct) =>
        await database.UpdateAsync(database.Tables.Keys, KeyOf(id), SetRevoked, IsTenants, new Item().Set(":tenant", tenant.Value).Set(":at", Milliseconds(at)), ct) is null;

    public async Task<bool> RotateAsync(TenantId tenant, KeyId id, ReadOnlyMemory<byte> hash, DateTimeOffset previousUntil, CancellationToken ct)
    {
        var values = new Item().Set(":tenant", tenant.Value).Set(":hash", hash).Set(":until", Milliseconds(previousUntil));
        var refused = await database.UpdateAsync(database.Tables.Keys, KeyOf(id), SetHash, MayRotate, values, ct);
        return refused is null || (refused.TextOrNull("tenant") == tenant.Value && !refused.Has("revoked_at") && refused.BytesOrNull("hash") is { } kept && kept.Span.SequenceEqual(hash.Span));
    }

    private static Item KeyOf(KeyId id) => Item.Key($"key#{KeyPart.Of(id.Value)}", "key");

    private static string ListOf(TenantId tenant) => $"t#{KeyPart.Of(tenant.Value)}#keys";

    private static string ListedAs(KeyRecord key) => string.Create(CultureInfo.InvariantCulture, $"{key.CreatedAt.ToUnixTimeMilliseconds():D15}#{KeyPart.Of(key.Id.Value)}");

    private static Item Write(KeyRecord key) => KeyOf(key.Id)
        .Set("tenant", key.Tenant.Value)
        .Set("key", key.Id.Value)
        .Set("project", key.Project.Value)
        .Set("name", key.Name)
        .Set("hash", key.Hash)
        .Set("previous_hash", key.PreviousHash)
        .Set("previous_until", Milliseconds(key.PreviousUntil))
        .Set("scopes", (long)key.Scopes)
        .Set("created_at", Milliseconds(key.CreatedAt))
        .Set("expires_at", Milliseconds(key.ExpiresAt))
        .Set("revoked_at", Milliseconds(key.RevokedAt))
        .Set("models", key.Models)
        .Set("monthly_budget", key.MonthlyBudget?.NanoDollars)
        .Set("requests_per_second", key.RequestsPerSecond)
        .Set("burst", key.Burst)
        .Set("tokens_per_minute", key.TokensPerMinute)
        .Set("concurrency", key.Concurrency)
        .Set("guards", key.Guards)
        .Set("tools", key.Tools);

    private static KeyRecord Read(Item item) => new()
    {
        Tenant = new TenantId(item.Text("tenant")),
        Id = new KeyId(item.Text("key")),
        Project = new ProjectId(item.Text("project")),
        Name = item.Text("name"),
        Hash = item.BytesOrNull("hash")!.Value,
        PreviousHash = item.BytesOrNull("previous_hash"),
        PreviousUntil = Time(item.LongOrNull("previous_until")),
        Scopes = (Scopes)item.Long("scopes"),
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(item.Long("created_at")),
        ExpiresAt = Time(item.LongOrNull("expires_at")),
        RevokedAt = Time(item.LongOrNull("revoked_at")),
        Models = item.Texts("models"),
        MonthlyBudget = item.LongOrNull("monthly_budget") is { } nanos ? new Money(nanos) : null,
        RequestsPerSecond = item.DoubleOrNull("requests_per_second"),
        Burst = item.IntOrNull("burst"),
        TokensPerMinute = item.IntOrNull("tokens_per_minute"),
        Concurrency = item.IntOrNull("concurrency"),
        Guards = item.TextOrNull("guards"),
        Tools = item.Texts("tools"),
    };

    private static long? Milliseconds(DateTimeOffset? time) => time?.ToUnixTimeMilliseconds();

    private static DateTimeOffset? Time(long? milliseconds) => milliseconds is { } value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : null;
}
