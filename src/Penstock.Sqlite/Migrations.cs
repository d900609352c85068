using System.Security.Cryptography;
using System.Text;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite;

/// <summary>A step of the schema that was taken just now.</summary>
public sealed record AppliedMigration(int Number, string Name);

/// <summary>The database and this build do not fit; the message names both and what to do.</summary>
public sealed class SchemaException(string message) : Exception(message);

/// <param name="Sql">Never changes once it was released: databases carry its hash.</param>
internal sealed record Migration(int Number, string Name, string Sql)
{
    /// <summary>SHA-256 in hexadecimal; line ends do not count.</summary>
    public string Hash => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));
}

/// <summary>Takes a database from whatever version it has to this build's, one transaction a step.</summary>
internal static class Migrations
{
    private const string CreateJournal =
        "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, applied_at INTEGER NOT NULL)";

    private const string ReadJournal = "SELECT number, name, hash FROM schema_migrations ORDER BY number";

    private const string Record = "INSERT INTO schema_migrations (number, name, hash, applied_at) VALUES ($number, $name, $hash, $at)";

    private const string Begin = "BEGIN IMMEDIATE";
    private const string Commit = "COMMIT";
    private const string Rollback = "ROLLBACK";

    public static readonly IReadOnlyList<Migration> All =
    [
        new(1, "keys and ledger", Schema.KeysAndLedger),
        new(2, "budgets and holds", Schema.Budgets),
        new(3, "one ledger and its rollups", Schema.OneLedger),
        new(4, "cache and idempotency", Schema.CacheAndIdempotency),
        new(5, "alerts", Schema.Alerts),
        new(6, "templates and decisions in the ledger", Schema.Decisions),
        new(7, "provider keys", Schema.ProviderKeys),
        new(8, "prompts", Schema.Prompts),
        new(9, "guard rules of keys", Schema.KeyGuards),
        new(10, "tools of keys", Schema.Tools),
        new(11, "runs in the ledger", Schema.LedgerRuns),
        new(12, "runs and memory", Schema.Runs),
        new(13, "jobs", Schema.Jobs),
    ];

    /// <returns>The steps taken, none where the database is up to date.</returns>
    /// <exception cref="SchemaException">The database is of a newer build, or a step it has taken was not this build's.</exception>
    public static IReadOnlyList<AppliedMigration> Apply(Session session, string database, IReadOnlyList<Migration> migrations, TimeProvider time)
    {
        session.RunScript(CreateJournal);
        var taken = CheckTaken(session, database, migrations);
        var applied = new List<AppliedMigration>();
        foreach (var migration in migrations.Skip(taken))
        {
            Take(session, migration, time.GetUtcNow());
            applied.Add(new AppliedMigration(migration.Number, migration.Name));
        }

        return applied;
    }

    private static int CheckTaken(Session session, string database, IReadOnlyList<Migration> known)
    {
        var count = 0;
        using var rows = session.Use(ReadJournal);
        while (rows.Step())
        {
            var (number, name) = (rows.Int(0), rows.Text(1));
            if (number > known[^1].Number)
            {
                throw new SchemaException(
                    $"The database {database} is of a newer Penstock: it is at migration {number} '{name}', and this build knows {known[^1].Number} ('{known[^1].Name}'). Run the newer build, or restore a backup made before the upgrade.");
            }

            if (known[count].Number != number || known[count].Hash != rows.Text(2))
            {
                throw new SchemaException(
                    $"Migration {number} '{name}' of the database {database} is not the one that this build has. Run the build that made it, or restore a backup.");
            }

            count++;
        }

        return count;
    }

    private static void Take(Session session, Migration migration, DateTimeOffset at)
    {
        session.RunScript(Begin);
        try
        {
            session.RunScript(migration.Sql);
            using (var record = session.Use(Record))
            {
                record.Set("$number", migration.Number).Set("$name", migration.Name).Set("$hash", migration.Hash).Set("$at", at.ToUnixTimeMilliseconds()).Run();
            }

            session.RunScript(Commit);
        }
        catch
        {
            if (session.InTransaction) session.RunScript(Rollback);
            throw;
        }
    }
}
