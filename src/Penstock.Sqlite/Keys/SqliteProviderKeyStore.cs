using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Keys;

internal sealed class SqliteProviderKeyStore(SqliteDatabase database) : IProviderKeyStore
{
    private const string Columns = "tenant, key_id, provider, master_key, wrapped_key, sealed, ending, at";

    private const string Upsert = $"""
        INSERT INTO provider_keys ({Columns})
        VALUES ($tenant, $key, $provider, $masterKey, $wrappedKey, $sealed, $ending, $at)
        ON CONFLICT DO UPDATE SET master_key = excluded.master_key, wrapped_key = excluded.wrapped_key, sealed = excluded.sealed, ending = excluded.ending, at = excluded.at
        """;

    private const string SelectOfKey = $"SELECT {Columns} FROM provider_keys WHERE tenant = $tenant AND key_id = $key ORDER BY provider";

    private const string Delete = "DELETE FROM provider_keys WHERE tenant = $tenant AND key_id = $key AND provider = $provider";

    /// <summary>A change of the master key is of every tenant's rows, and shows none to anybody.</summary>
    internal const string SelectOthers = $"SELECT {Columns} FROM provider_keys WHERE master_key <> $masterKey";

    private const string UpdateWrapped =
        "UPDATE provider_keys SET master_key = $masterKey, wrapped_key = $wrappedKey WHERE tenant = $tenant AND key_id = $key AND provider = $provider AND wrapped_key = $was";

    public Task PutAsync(SealedProviderKey key, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var put = session.Use(Upsert);
            return Named(put, key.Name)
                .Set("$masterKey", key.MasterKey)
                .Set("$wrappedKey", key.WrappedKey)
                .Set("$sealed", key.Sealed)
                .Set("$ending", key.Ending)
                .Set("$at", key.At.ToUnixTimeMilliseconds())
                .Run();
        },
        ct);

    public Task<IReadOnlyList<SealedProviderKey>> ListAsync(TenantId tenant, KeyId? key, CancellationToken ct) => database.ReadAsync<IReadOnlyList<SealedProviderKey>>(
        session =>
        {
            using var rows = session.Use(SelectOfKey);
            return ReadAll(rows.Set("$tenant", tenant.Value).Set("$key", key?.Value ?? ""));
        },
        ct);

    public Task<bool> RemoveAsync(ProviderKeyName name, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var delete = session.Use(Delete);
            return Named(delete, name).Run() > 0;
        },
        ct);

    public Task<IReadOnlyList<SealedProviderKey>> ListOthersAsync(string masterKey, CancellationToken ct) => database.ReadAsync<IReadOnlyList<SealedProviderKey>>(
        session =>
        {
            using var rows = session.Use(SelectOthers);
            return ReadAll(rows.Set("$masterKey", masterKey));
        },
        ct);

    public Task<bool> RewrapAsync(SealedProviderKey was, SealedProviderKey now, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var update = session.Use(UpdateWrapped);
            return Named(update, was.Name).Set("$masterKey", now.MasterKey).Set("$wrappedKey", now.WrappedKey).Set("$was", was.WrappedKey).Run() > 0;
        },
        ct);

    private static Statement Named(Statement statement, ProviderKeyName name) =>
        statement.Set("$tenant", name.Tenant.Value).Set("$key", name.Key?.Value ?? "").Set("$provider", name.Provider);

    /// <summary>Reads <see cref="Columns"/>.</summary>
    private static List<SealedProviderKey> ReadAll(Statement rows)
    {
        var keys = new List<SealedProviderKey>();
        while (rows.Step())
        {
            keys.Add(new SealedProviderKey
            {
                Name = new ProviderKeyName(new TenantId(rows.Text(0)), rows.Text(1) is { Length: > 0 } key ? new KeyId(key) : null, rows.Text(2)),
                MasterKey = rows.Text(3),
                WrappedKey = rows.Blob(4),
                Sealed = rows.Blob(5),
                Ending = rows.Text(6),
                At = DateTimeOffset.FromUnixTimeMilliseconds(rows.Long(7)),
            });
        }

        return keys;
    }
}
