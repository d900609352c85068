namespace Penstock.Sqlite;

internal static partial class Schema
{
    public const string CacheAndIdempotency = """
        CREATE TABLE cache (
          tenant TEXT NOT NULL,
          cache_key TEXT NOT NULL,
          at INTEGER NOT NULL,
          expires_at INTEGER NOT NULL,
          bytes INTEGER NOT NULL,         -- what the row counts towards the bound
          content_type TEXT NOT NULL,
          provider TEXT NOT NULL,
          model TEXT NOT NULL,
          input INTEGER NOT NULL,
          cache_read INTEGER NOT NULL,
          cache_write_5m INTEGER NOT NULL,
          cache_write_1h INTEGER NOT NULL,
          output INTEGER NOT NULL,
          reasoning INTEGER NOT NULL,
          cost_nanos INTEGER NOT NULL,
          body BLOB NOT NULL,
          PRIMARY KEY (tenant, cache_key)
        );

        CREATE INDEX cache_by_expiry ON cache (expires_at);

        -- Holds the sizes too, so that adding them up reads no body.
        CREATE INDEX cache_by_age ON cache (at, bytes);

        CREATE TABLE idempotency (
          tenant TEXT NOT NULL,
          key_id TEXT NOT NULL,
          name TEXT NOT NULL,
          request_hash BLOB NOT NULL,
          owner TEXT NOT NULL,
          lease_until INTEGER NOT NULL,
          keep_until INTEGER NOT NULL,
          answer BLOB,                    -- sealed by its caller; NULL while the request runs
          PRIMARY KEY (tenant, key_id, name)
        );

        CREATE INDEX idempotency_by_end ON idempotency (keep_until);
        """;
}
