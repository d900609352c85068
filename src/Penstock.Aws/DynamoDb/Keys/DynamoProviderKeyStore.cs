using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Aws.DynamoDb.Keys;

/// <summary>Provider keys, sealed, beside the keys: <c>t#tenant#provider-keys / id#provider</c>, with <c>~</c> in the place of the id where it is the tenant's own.</summary>
internal sealed class DynamoProviderKeyStore(DynamoDatabase database) : IProviderKeyStore
{
    private const string OfKey = "#pk = :pk AND begins_with(#sk, :sk)";
    private const string IsTenants = "#tenant = :tenant";
    private const string SetWrapped = "SET #master_key = :master_key, #wrapped_key = :wrapped_key";

    // A repetition after a time-out finds what the first try wrote.
    private const string IsAsItWas = "#wrapped_key = :was OR #wrapped_key = :wrapped_key";

    public Task PutAsync(SealedProviderKey key, CancellationToken ct) => database.PutAsync(database.Tables.Keys, Write(key), ct);

    public async Task<IReadOnlyList<SealedProviderKey>> ListAsync(TenantId tenant, KeyId? key, CancellationToken ct)
    {
        var items = await database.QueryAsync(database.Tables.Keys, OfKey, new Item().Set(":pk", PartitionOf(tenant)).Set(":sk", $"{KeyPart.OfMaybe(key?.Value)}#"), ct);
        return [.. items.Select(Read).OrderBy(found => found.Name.Provider, StringComparer.Ordinal)];
    }

    public Task<bool> RemoveAsync(ProviderKeyName name, CancellationToken ct) =>
        database.DeleteAsync(database.Tables.Keys, KeyOf(name), IsTenants, new Item().Set(":tenant", name.Tenant.Value), ct);

    public async Task<IReadOnlyList<SealedProviderKey>> ListOthersAsync(string masterKey, CancellationToken ct) =>
        [.. (await database.ScanAsync(database.Tables.Keys, ct)).Where(item => item.Has("wrapped_key") && item.Text("master_key") != masterKey).Select(Read)];

    public async Task<bool> RewrapAsync(SealedProviderKey was, SealedProviderKey now, CancellationToken ct) =>
        await database.UpdateAsync(
            database.Tables.Keys,
            KeyOf(was.Name),
            SetWrapped,
            IsAsItWas,
            new Item().Set(":master_key", now.MasterKey).Set(":wrapped_key", now.WrappedKey).Set(":was", was.WrappedKey),
            ct) is null;

    private static string PartitionOf(TenantId tenant) => $"t#{KeyPart.Of(tenant.Value)}#provider-keys";

    private static Item KeyOf(ProviderKeyName name) => Item.Key(PartitionOf(name.Tenant), $"{KeyPart.OfMaybe(name.Key?.Value)}#{KeyPart.Of(name.Provider)}");

    private static Item Write(SealedProviderKey key) => KeyOf(key.Name)
        .Set("tenant", key.Name.Tenant.Value)
        .Set("key", key.Name.Key?.Value)
        .Set("provider", key.Name.Provider)
        .Set("master_key", key.MasterKey)
        .Set("wrapped_key", key.WrappedKey)
        .Set("sealed", key.Sealed)
        .Set("ending", key.Ending)
        .Set("at", key.At.ToUnixTimeMilliseconds());

    private static SealedProviderKey Read(Item item) => new()
    {
        Name = new ProviderKeyName(new TenantId(item.Text("tenant")), item.TextOrNull("key") is { } key ? new KeyId(key) : null, item.Text("provider")),
        MasterKey = item.Text("master_key"),
        WrappedKey = item.BytesOrNull("wrapped_key")!.Value,
        Sealed = item.BytesOrNull("sealed")!.Value,
        Ending = item.Text("ending"),
        At = DateTimeOffset.FromUnixTimeMilliseconds(item.Long("at")),
    };
}
