namespace Penstock.Sqlite;

internal static partial class Schema
{
    public const string Jobs = """
        CREATE TABLE job_queue (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          tenant TEXT NOT NULL,
          id TEXT NOT NULL,
          kind TEXT NOT NULL,
          due_at INTEGER NOT NULL,        -- when it may be given, for the first time or again
          received INTEGER NOT NULL       -- how often it was given; with seq, its newest receipt
        );

        CREATE INDEX job_queue_by_turn ON job_queue (tenant, due_at);

        -- Whose turn it is: of the tenants with something due, the one that was served longest ago.
        CREATE TABLE job_turns (
          tenant TEXT NOT NULL PRIMARY KEY,
          served INTEGER NOT NULL
        ) WITHOUT ROWID;

        CREATE INDEX job_turns_by_served ON job_turns (served);

        CREATE TABLE job_dead (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          tenant TEXT NOT NULL,
          id TEXT NOT NULL,
          kind TEXT NOT NULL,
          reason TEXT NOT NULL,
          received INTEGER NOT NULL,
          at INTEGER NOT NULL
        );

        CREATE INDEX job_dead_by_tenant ON job_dead (tenant, seq);

        CREATE TABLE jobs (
          tenant TEXT NOT NULL,
          id TEXT NOT NULL,
          version INTEGER NOT NULL,       -- grows with every change: a change names the one it was made from
          key_id TEXT NOT NULL,
          project TEXT NOT NULL,
          authority TEXT,                 -- JSON; what the token allowed where no stored key stands behind it
          path TEXT NOT NULL,
          request BLOB NOT NULL,
          webhook TEXT,
          hook INTEGER NOT NULL,          -- number of JobHook
          state INTEGER NOT NULL,         -- number of JobState
          attempts INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          updated_at INTEGER NOT NULL,
          owner TEXT,
          lease_until INTEGER,
          ended_at INTEGER,
          keep_ms INTEGER NOT NULL,
          keep_until INTEGER,             -- NULL until it ended
          status INTEGER,
          content_type TEXT,
          result BLOB,
          error_code TEXT,
          error TEXT,
          cost_nanos INTEGER NOT NULL,
          PRIMARY KEY (tenant, id)
        );

        CREATE INDEX jobs_by_creation ON jobs (tenant, created_at, id);

        CREATE INDEX jobs_by_end ON jobs (keep_until) WHERE keep_until IS NOT NULL;

        -- Those that have not ended, or of whose end nobody was told yet.
        CREATE INDEX jobs_open ON jobs (updated_at) WHERE state < 2 OR hook = 1;
        """;
}
