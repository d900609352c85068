namespace Penstock.Sqlite;

internal static partial class Schema
{
    /// <summary>
    /// What was booked before is carried over as entries that held nothing, and running holds as reservations. An attempt used to be booked at the time
    /// it ended; it counts from when it began now. Balances and rollups are made again from the entries: balances when they are next asked for,
    /// rollups when the database opens.
    /// </summary>
    public const string OneLedger = """
        DROP INDEX ledger_by_time;
        ALTER TABLE ledger RENAME TO old_ledger;
        ALTER TABLE holds RENAME TO old_holds;
        DROP INDEX holds_by_expiry;
        DROP TABLE budget_balances;
        DROP TABLE budget_entries;

        -- Append-only. An attempt has at most one entry of a kind. Numbers are given once, also where retention dropped the last.
        CREATE TABLE ledger (
          number INTEGER PRIMARY KEY AUTOINCREMENT,
          tenant TEXT NOT NULL,
          attempt TEXT NOT NULL,
          kind INTEGER NOT NULL,          -- number of LedgerEntryKind
          held_nanos INTEGER NOT NULL,    -- change of what is held
          cost_nanos INTEGER NOT NULL,    -- change of what is spent
          at INTEGER NOT NULL,            -- when the attempt began
          request TEXT NOT NULL,
          project TEXT NOT NULL,
          key_id TEXT NOT NULL,
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
          avoided_nanos INTEGER NOT NULL,
          own_key INTEGER NOT NULL,
          price_version TEXT NOT NULL,
          estimated INTEGER NOT NULL,
          outcome INTEGER NOT NULL,       -- number of AttemptOutcome
          error TEXT,
          latency_ms INTEGER NOT NULL,
          first_token_ms INTEGER,
          streamed INTEGER NOT NULL,
          conversation TEXT,
          end_user TEXT
        );

        -- An old correction was a row of its own, named after its attempt.
        INSERT INTO ledger (tenant, attempt, kind, held_nanos, cost_nanos, at, request, project, key_id, operation, route, provider, requested_model, model,
          input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, avoided_nanos, own_key, price_version, estimated, outcome, error, latency_ms,
          first_token_ms, streamed, conversation, end_user)
        SELECT o.tenant, coalesce(e.attempt, o.attempt), CASE WHEN e.attempt IS NOT NULL THEN 3 WHEN o.outcome = 5 THEN 4 ELSE 1 END, 0, o.cost_nanos,
          coalesce(e.at - e.latency_ms, o.at - o.latency_ms), o.request, o.project, o.key_id, o.operation, o.route, o.provider, o.requested_model, o.model,
          o.input, o.cache_read, o.cache_write_5m, o.cache_write_1h, o.output, o.reasoning, 0, 0, o.price_version, o.estimated, o.outcome, o.error,
          o.latency_ms, o.first_token_ms, o.streamed, o.conversation, o.end_user
        FROM old_ledger AS o
        LEFT JOIN old_ledger AS e ON substr(o.attempt, -7) = ':adjust' AND e.tenant = o.tenant AND e.attempt = substr(o.attempt, 1, length(o.attempt) - 7) AND e.outcome = 5
        ORDER BY o.rowid;

        INSERT INTO ledger (tenant, attempt, kind, held_nanos, cost_nanos, at, request, project, key_id, operation, route, provider, requested_model, model,
          input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, avoided_nanos, own_key, price_version, estimated, outcome, error, latency_ms,
          first_token_ms, streamed, conversation, end_user)
        SELECT tenant, attempt, 0, granted_nanos, 0, started_at, request, project, key_id, operation, route, provider, requested_model, model,
          0, 0, 0, 0, 0, 0, 0, 0, price_version, 1, 5, NULL, 0, NULL, streamed, conversation, end_user
        FROM old_holds ORDER BY started_at;

        -- Attempt ids are random. Entries go to the end of the table in the order they come; only this narrow index is written at random.
        CREATE UNIQUE INDEX ledger_by_attempt ON ledger (tenant, attempt, kind);
        CREATE INDEX ledger_by_time ON ledger (tenant, at, kind);
        CREATE INDEX ledger_by_tenant ON ledger (tenant);

        -- The running calls, by their reservations.
        CREATE TABLE holds (
          tenant TEXT NOT NULL,
          attempt TEXT NOT NULL,
          granted_nanos INTEGER NOT NULL,
          expires_at INTEGER NOT NULL,
          number INTEGER NOT NULL,        -- of the reservation in the ledger
          PRIMARY KEY (tenant, attempt)
        ) WITHOUT ROWID;

        CREATE INDEX holds_by_expiry ON holds (expires_at);

        INSERT INTO holds (tenant, attempt, granted_nanos, expires_at, number)
        SELECT h.tenant, h.attempt, h.granted_nanos, h.expires_at, l.number
        FROM old_holds AS h JOIN ledger AS l ON l.tenant = h.tenant AND l.attempt = h.attempt AND l.kind = 0;

        DROP TABLE old_ledger;
        DROP TABLE old_holds;

        -- What a scope spent and holds in a stretch of time, kept so that a reservation reads one row a budget; made when a budget first asks for it.
        CREATE TABLE budget_balances (
          tenant TEXT NOT NULL,
          scope_kind INTEGER NOT NULL,    -- number of BudgetScopeKind
          scope_name TEXT NOT NULL,
          window_at INTEGER NOT NULL,
          window_end INTEGER NOT NULL,
          spent_nanos INTEGER NOT NULL,
          held_nanos INTEGER NOT NULL,
          PRIMARY KEY (tenant, scope_kind, scope_name, window_at, window_end)
        ) WITHOUT ROWID;

        -- The booked entries, summed by the quarter of an hour, day and month (UTC) of their time.
        CREATE TABLE rollups (
          tenant TEXT NOT NULL,
          facet INTEGER NOT NULL,         -- 0 by project, key, model and provider; 1 by end user; 2 the tenant whole. The other names are empty.
          grain INTEGER NOT NULL,         -- 0 quarter of an hour, 1 day, 2 month
          window_at INTEGER NOT NULL,
          project TEXT NOT NULL,
          key_id TEXT NOT NULL,
          model TEXT NOT NULL,
          provider TEXT NOT NULL,
          end_user TEXT NOT NULL,
          attempts INTEGER NOT NULL,
          failed INTEGER NOT NULL,
          cache_hits INTEGER NOT NULL,
          input INTEGER NOT NULL,
          cache_read INTEGER NOT NULL,
          cache_write_5m INTEGER NOT NULL,
          cache_write_1h INTEGER NOT NULL,
          output INTEGER NOT NULL,
          reasoning INTEGER NOT NULL,
          cost_nanos INTEGER NOT NULL,
          saved_nanos INTEGER NOT NULL,
          own_key_attempts INTEGER NOT NULL,
          own_key_nanos INTEGER NOT NULL,
          PRIMARY KEY (tenant, facet, grain, window_at, project, key_id, model, provider, end_user)
        ) WITHOUT ROWID;

        -- Beside each rollup, apart so that sums need not read them: three histograms, each as numbers of buckets and counts.
        CREATE TABLE rollup_spreads (
          tenant TEXT NOT NULL,
          facet INTEGER NOT NULL,
          grain INTEGER NOT NULL,
          window_at INTEGER NOT NULL,
          project TEXT NOT NULL,
          key_id TEXT NOT NULL,
          model TEXT NOT NULL,
          provider TEXT NOT NULL,
          end_user TEXT NOT NULL,
          latency BLOB NOT NULL,
          first_token BLOB NOT NULL,
          cost BLOB NOT NULL,
          PRIMARY KEY (tenant, facet, grain, window_at, project, key_id, model, provider, end_user)
        ) WITHOUT ROWID;

        CREATE TABLE conversations (
          tenant TEXT NOT NULL,
          conversation TEXT NOT NULL,
          first_at INTEGER NOT NULL,
          last_at INTEGER NOT NULL,
          attempts INTEGER NOT NULL,
          cost_nanos INTEGER NOT NULL,
          PRIMARY KEY (tenant, conversation)
        ) WITHOUT ROWID;

        -- How many conversations that began on a day cost how much in all.
        CREATE TABLE conversation_costs (
          tenant TEXT NOT NULL,
          day INTEGER NOT NULL,           -- from 1970-01-01
          bucket INTEGER NOT NULL,        -- of LogHistogram
          conversations INTEGER NOT NULL,
          PRIMARY KEY (tenant, day, bucket)
        ) WITHOUT ROWID;

        -- Entries of attempts that began before were dropped.
        CREATE TABLE retention (
          tenant TEXT NOT NULL PRIMARY KEY,
          before_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        """;
}
