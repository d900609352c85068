namespace Penstock.Sqlite;

/// <summary>
/// The tables, one constant a migration. Every table that holds a tenant's rows has the tenant first in its primary key, or numbers its rows.
/// Money is integer nano-dollars (<c>_nanos</c>), times are Unix milliseconds (<c>_at</c>, <c>_until</c>), hashes are 32 bytes, flags 0 or 1.
/// </summary>
internal static partial class Schema
{
    public const string KeysAndLedger = """
        CREATE TABLE tenants (
          tenant TEXT NOT NULL PRIMARY KEY,
          created_at INTEGER NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE projects (
          tenant TEXT NOT NULL,
          project TEXT NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (tenant, project)
        ) WITHOUT ROWID;

        INSERT INTO tenants (tenant, created_at) VALUES ('default', 0);
        INSERT INTO projects (tenant, project, created_at) VALUES ('default', 'default', 0);

        CREATE TABLE keys (
          tenant TEXT NOT NULL,
          key_id TEXT NOT NULL,
          project TEXT NOT NULL,
          name TEXT NOT NULL,
          hash BLOB NOT NULL,
          previous_hash BLOB,
          previous_until INTEGER,
          scopes INTEGER NOT NULL,        -- bits of Scopes
          created_at INTEGER NOT NULL,
          expires_at INTEGER,
          revoked_at INTEGER,
          models TEXT NOT NULL,           -- JSON array of strings
          monthly_budget_nanos INTEGER,
          requests_per_second REAL,
          burst INTEGER,
          tokens_per_minute INTEGER,
          concurrency INTEGER,
          PRIMARY KEY (tenant, key_id)
        ) WITHOUT ROWID;

        -- A caller shows a key before anybody knows its tenant: ids are unique over all of them.
        CREATE UNIQUE INDEX keys_by_id ON keys (key_id);

        -- Attempt ids are random. Rows go to the end of the table in the order they come; only the narrow index is written at random.
        CREATE TABLE ledger (
          tenant TEXT NOT NULL,
          attempt TEXT NOT NULL,
          request TEXT NOT NULL,
          project TEXT NOT NULL,
          key_id TEXT NOT NULL,
          at INTEGER NOT NULL,
          operation TEXT NOT NULL,
          route TEXT NOT NULL,
          provider TEXT NOT NULL,
          requested_model TEXT NOT NULL,
          model TEXT NOT NULL,
          input INTEGER NOT NULL,
          cache_read INTEGER NOT NULL,
          cache_write_5m INTEGER NOT NULL,
          cache_write_1h INTEGER NOT NULL,
          output INTEGER NOT NULL,
          reasoning INTEGER NOT NULL,
          cost_nanos INTEGER NOT NULL,
          price_version TEXT NOT NULL,
          estimated INTEGER NOT NULL,
          outcome INTEGER NOT NULL,       -- number of AttemptOutcome
          error TEXT,
          latency_ms INTEGER NOT NULL,
          first_token_ms INTEGER,
          streamed INTEGER NOT NULL,
          conversation TEXT,
          end_user TEXT,
          PRIMARY KEY (tenant, attempt)
        );

        CREATE INDEX ledger_by_time ON ledger (tenant, at);
        """;

    public const string Budgets = """
        CREATE TABLE budgets (
          tenant TEXT NOT NULL,
          scope_kind INTEGER NOT NULL,    -- number of BudgetScopeKind
          scope_name TEXT NOT NULL,
          period INTEGER NOT NULL,        -- number of BudgetPeriod
          limit_nanos INTEGER NOT NULL,
          hard INTEGER NOT NULL,
          time_zone TEXT NOT NULL,
          PRIMARY KEY (tenant, scope_kind, scope_name, period)
        ) WITHOUT ROWID;

        -- The fold of budget_entries, kept beside them so that a reservation reads one row a budget.
        CREATE TABLE budget_balances (
          tenant TEXT NOT NULL,
          scope_kind INTEGER NOT NULL,
          scope_name TEXT NOT NULL,
          period INTEGER NOT NULL,
          window_at INTEGER NOT NULL,
          spent_nanos INTEGER NOT NULL,
          held_nanos INTEGER NOT NULL,
          PRIMARY KEY (tenant, scope_kind, scope_name, period, window_at)
        ) WITHOUT ROWID;

        -- Append-only. An attempt has at most one entry of a kind on a balance, so that it cannot be settled twice.
        CREATE TABLE budget_entries (
          tenant TEXT NOT NULL,
          attempt TEXT NOT NULL,          -- empty for an opening
          kind INTEGER NOT NULL,          -- 0 opening, 1 reserve, 2 settle, 3 expire, 4 adjust
          scope_kind INTEGER NOT NULL,
          scope_name TEXT NOT NULL,
          period INTEGER NOT NULL,
          window_at INTEGER NOT NULL,
          held_nanos INTEGER NOT NULL,    -- change of the balance
          spent_nanos INTEGER NOT NULL,   -- change of the balance
          PRIMARY KEY (tenant, attempt, kind, scope_kind, scope_name, period, window_at)
        );

        CREATE INDEX budget_entries_by_balance ON budget_entries (tenant, scope_kind, scope_name, period, window_at);

        -- One row a running call: what it holds, and what it is booked as where nobody settles it.
        CREATE TABLE holds (
          tenant TEXT NOT NULL,
          attempt TEXT NOT NULL,
          granted_nanos INTEGER NOT NULL,
          started_at INTEGER NOT NULL,
          expires_at INTEGER NOT NULL,
          request TEXT NOT NULL,
          project TEXT NOT NULL,
          key_id TEXT NOT NULL,
          operation TEXT NOT NULL,
          route TEXT NOT NULL,
          provider TEXT NOT NULL,
          requested_model TEXT NOT NULL,
          model TEXT NOT NULL,
          price_version TEXT NOT NULL,
          streamed INTEGER NOT NULL,
          conversation TEXT,
          end_user TEXT,
          PRIMARY KEY (tenant, attempt)
        ) WITHOUT ROWID;

        CREATE INDEX holds_by_expiry ON holds (expires_at);
        """;
}
