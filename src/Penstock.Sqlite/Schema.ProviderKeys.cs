namespace Penstock.Sqlite;

internal static partial class Schema
{
    public const string ProviderKeys = """
        CREATE TABLE provider_keys (
          tenant TEXT NOT NULL,
          key_id TEXT NOT NULL,           -- empty for the tenant's own, which no key's id is
          provider TEXT NOT NULL,
          master_key TEXT NOT NULL,       -- id of the master key that wrapped the data key
          wrapped_key BLOB NOT NULL,
          sealed BLOB NOT NULL,
          ending TEXT NOT NULL,
          at INTEGER NOT NULL,
          PRIMARY KEY (tenant, key_id, provider)
        );
        """;
}
