namespace Penstock.Sqlite;

internal static partial class Schema
{
    public const string Runs = """
        CREATE TABLE agent_runs (
          tenant TEXT NOT NULL,
          run TEXT NOT NULL,
          project TEXT NOT NULL,
          key_id TEXT NOT NULL,
          agent TEXT NOT NULL,
          version TEXT NOT NULL,
          hash TEXT NOT NULL,
          conversation TEXT,
          end_user TEXT,
          parent TEXT,
          path TEXT NOT NULL,
          limit_nanos INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          status INTEGER NOT NULL,        -- RunStatus
          ended_at INTEGER,
          error TEXT,
          waits_for TEXT,
          wake_at INTEGER,                -- NULL where only something in its inbox makes it due, or it has ended
          epoch INTEGER NOT NULL,
          owner TEXT,
          beat INTEGER NOT NULL,
          next_seq INTEGER NOT NULL,
          steps INTEGER NOT NULL,
          crashes INTEGER NOT NULL,
          cancel_requested INTEGER NOT NULL,
          PRIMARY KEY (tenant, run)
        ) STRICT, WITHOUT ROWID;

        CREATE INDEX agent_runs_by_time ON agent_runs (tenant, created_at, run);
        CREATE INDEX agent_runs_by_project ON agent_runs (tenant, project, created_at, run);
        CREATE INDEX agent_runs_by_status ON agent_runs (tenant, status, created_at, run);
        CREATE INDEX agent_runs_by_parent ON agent_runs (tenant, parent, created_at, run) WHERE parent IS NOT NULL;

        -- Workers and the sweeper serve every tenant.
        CREATE INDEX agent_runs_by_due ON agent_runs (wake_at, run, status) WHERE wake_at IS NOT NULL;
        CREATE INDEX agent_runs_by_end ON agent_runs (ended_at) WHERE ended_at IS NOT NULL;

        -- With row ids: most bodies would not fit into a page of keys.
        CREATE TABLE agent_journal (
          tenant TEXT NOT NULL,
          run TEXT NOT NULL,
          seq INTEGER NOT NULL,
          kind TEXT NOT NULL,
          at INTEGER NOT NULL,
          epoch INTEGER NOT NULL,
          body TEXT NOT NULL,
          PRIMARY KEY (tenant, run, seq)
        ) STRICT;

        CREATE TABLE agent_inbox (
          tenant TEXT NOT NULL,
          run TEXT NOT NULL,
          id TEXT NOT NULL,
          number INTEGER NOT NULL,        -- in the order in which they came, among those that are not folded
          kind TEXT NOT NULL,
          at INTEGER NOT NULL,
          body TEXT NOT NULL,             -- empty once it is folded
          folded INTEGER NOT NULL DEFAULT 0,
          PRIMARY KEY (tenant, run, id)
        ) STRICT, WITHOUT ROWID;

        CREATE INDEX agent_inbox_unread ON agent_inbox (tenant, run, number) WHERE folded = 0;

        CREATE TABLE agent_chunks (
          tenant TEXT NOT NULL,
          run TEXT NOT NULL,
          seq INTEGER NOT NULL,
          sub INTEGER NOT NULL,
          at INTEGER NOT NULL,
          body TEXT NOT NULL,
          PRIMARY KEY (tenant, run, seq, sub)
        ) STRICT, WITHOUT ROWID;

        CREATE INDEX agent_chunks_by_time ON agent_chunks (at);

        CREATE TABLE memory_messages (
          tenant TEXT NOT NULL,
          project TEXT NOT NULL,
          conversation TEXT NOT NULL,
          number INTEGER NOT NULL,
          run TEXT NOT NULL,
          role TEXT NOT NULL,
          text TEXT NOT NULL,
          at INTEGER NOT NULL,
          PRIMARY KEY (tenant, project, conversation, number)
        ) STRICT;

        CREATE INDEX memory_messages_by_run ON memory_messages (tenant, project, conversation, run);

        CREATE TABLE memory_facts (
          tenant TEXT NOT NULL,
          project TEXT NOT NULL,
          end_user TEXT NOT NULL,
          id TEXT NOT NULL,
          text TEXT NOT NULL,
          at INTEGER NOT NULL,
          run TEXT,
          PRIMARY KEY (tenant, project, end_user, id)
        ) STRICT;

        CREATE INDEX memory_facts_by_time ON memory_facts (tenant, project, end_user, at, id);
        """;
}
