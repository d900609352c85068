namespace Penstock.Sqlite;

internal static partial class Schema
{
    public const string Alerts = """
        CREATE TABLE alerts (
          tenant TEXT NOT NULL,
          scope_kind INTEGER NOT NULL,    -- BudgetScopeKind
          scope_name TEXT NOT NULL,
          period INTEGER NOT NULL,        -- BudgetPeriod
          window_at INTEGER NOT NULL,
          threshold INTEGER NOT NULL,
          window_until INTEGER,
          limit_nanos INTEGER NOT NULL,
          hard INTEGER NOT NULL,
          time_zone TEXT NOT NULL,
          spent_nanos INTEGER NOT NULL,
          raised_at INTEGER NOT NULL,
          due_at INTEGER,                 -- NULL where it is over
          tries INTEGER NOT NULL DEFAULT 0,
          delivered TEXT NOT NULL DEFAULT '', -- names of channels, a line each
          PRIMARY KEY (tenant, scope_kind, scope_name, period, window_at, threshold)
        ) WITHOUT ROWID;

        -- Whoever delivers serves every tenant.
        CREATE INDEX alerts_by_due ON alerts (due_at) WHERE due_at IS NOT NULL;
        """;
}
