using System.Reflection;
using System.Text.RegularExpressions;
using Penstock.Sqlite.Agents;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Cache;
using Penstock.Sqlite.Idempotency;
using Penstock.Sqlite.Jobs;
using Penstock.Sqlite.Keys;
using Penstock.Sqlite.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

/// <summary>No statement reaches a tenant's rows without naming the tenant.</summary>
public sealed partial class TenantFilterTests
{
    /// <summary>
    /// The caller's key is what says which tenant it is of; a change of the master key, the sweeper, retention, the verifier, workers and what a migration leaves to do serve
    /// every tenant, and show none to another.
    /// </summary>
    private static readonly string[] Exempt =
    [
        SqliteKeyStore.SelectAnyTenantsKey, SqliteProviderKeyStore.SelectOthers, HoldRows.SelectExpired, Retained.SelectNextTenant, Verification.SelectTenants, RollupsOfOld.SelectWhetherMissing,
        RollupsOfOld.SelectAllBooked,
        SqliteCacheStore.SelectKeys, SqliteCacheStore.DeleteExpired, SqliteCacheStore.SumBytes, SqliteCacheStore.SelectOldest, SqliteCacheStore.DeleteRow, SqliteIdempotencyStore.DeletePast, SqliteAlertStore.SelectDue,
        RunRows.SelectOpen, RunRows.CountAhead, RunRows.SelectEnded, RunHeads.ReleaseRuns, ChunkRows.DeleteOld,
        SqliteJobStore.SelectStale, SqliteJobStore.DeletePast, SqliteJobQueue.SelectNext, SqliteJobQueue.SelectNextDue, SqliteJobQueue.Hide, SqliteJobQueue.TakeTurn, SqliteJobQueue.Prolong, SqliteJobQueue.Delete, SqliteJobQueue.SelectDead, SqliteJobQueue.DeleteDead,
    ];

    /// <summary>Tables without a tenant's rows; SQLite keeps the last number of a table in one of them.</summary>
    private static readonly string[] Shared = ["schema_migrations", "sqlite_sequence"];

    /// <summary>Their rows are in the order in which they came; an index that begins with the tenant keeps them apart.</summary>
    private static readonly string[] Numbered = ["ledger", "job_queue", "job_dead"];

    [Fact]
    public async Task Every_statement_on_a_tenants_table_names_the_tenant()
    {
        var tables = await TenantTablesAsync();
        var statements = Statements();

        Assert.True(statements.Count >= 10, $"Only {statements.Count} statements were found: the search is broken.");
        foreach (var exempt in Exempt) Assert.Contains(exempt, statements);
        Assert.Empty(statements.Except(Exempt).Select(sql => Objection(sql, tables)).OfType<string>());
    }

    [Theory]
    [InlineData("SELECT name FROM keys WHERE key_id = $key")]
    [InlineData("SELECT name FROM keys WHERE tenant = 'acme'")]
    [InlineData("SELECT name FROM keys")]
    [InlineData("DELETE FROM ledger WHERE at < $at")]
    [InlineData("UPDATE keys SET revoked_at = $at WHERE key_id = $key")]
    [InlineData("UPDATE keys SET tenant = $tenant WHERE key_id = $key")]
    [InlineData("INSERT INTO keys (key_id, name) VALUES ($key, $name)")]
    [InlineData("INSERT INTO keys (tenant, key_id) VALUES ($other, $key)")]
    [InlineData("INSERT INTO keys (tenant, key_id) SELECT tenant, key_id FROM keys WHERE tenant = $tenant")]
    [InlineData("SELECT 1 FROM ledger JOIN keys ON keys.key_id = ledger.key_id WHERE ledger.tenant = $tenant")]
    [InlineData("SELECT 1 FROM ledger WHERE tenant = $tenant OR at > $at")]
    [InlineData("SELECT 1 FROM ledger WHERE model = $model UNION SELECT 1 FROM keys WHERE tenant = $tenant")]
    public async Task A_statement_that_does_not_is_found(string sql) => Assert.NotNull(Objection(sql, await TenantTablesAsync()));

    [Theory]
    [InlineData("SELECT 1 FROM ledger WHERE tenant = $tenant AND (model = $model OR at > $at)")]
    [InlineData("SELECT 1 FROM ledger JOIN keys ON keys.tenant = $tenant AND keys.key_id = ledger.key_id WHERE ledger.tenant = $tenant")]
    [InlineData("INSERT INTO keys (tenant, key_id) VALUES ($tenant, $key)")]
    [InlineData("SELECT hash FROM schema_migrations")]
    public async Task A_statement_that_does_passes(string sql) => Assert.Null(Objection(sql, await TenantTablesAsync()));

    [Fact]
    public async Task Every_table_has_the_tenant_first_in_its_primary_key()
    {
        using var folder = new TemporaryFolder();
        await using var database = folder.Open();

        var firstColumns = await database.ReadAsync(
            session =>
            {
                using var row = session.Use("SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c ON c.pk = 1 WHERE t.type = 'table'");
                var found = new Dictionary<string, string>();
                while (row.Step()) found.Add(row.Text(0), row.Text(1));
                return found;
            },
            TestContext.Current.CancellationToken);

        Assert.Equal((await TenantTablesAsync()).Except(Numbered).Order(), firstColumns.Where(pair => pair.Value == "tenant").Select(pair => pair.Key).Order());
        Assert.Equal(Numbered.Append("schema_migrations").Order(), firstColumns.Where(pair => pair.Value != "tenant").Select(pair => pair.Key).Order());
    }

    [Fact]
    public void Every_statement_that_is_used_is_a_constant()
    {
        var folder = SourceFolder();
        var uses = Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal))
            .SelectMany(File.ReadLines)
            .SelectMany(line => Uses().Matches(line).Select(match => match.Groups[1].Value))
            .ToList();

        Assert.True(uses.Count >= 10, $"Only {uses.Count} uses were found: the search is broken.");
        // A literal would escape the search for constants. A parameter named sql is handed a constant by its callers in the same file.
        Assert.All(uses, argument => Assert.True(argument == "sql" || ConstantName().IsMatch(argument), $"'{argument}' is not a constant."));
    }

    /// <summary>Null where <paramref name="sql"/> names the tenant once for each tenant's table it touches.</summary>
    private static string? Objection(string sql, IReadOnlyCollection<string> tables)
    {
        var touched = TableNames().Matches(sql).Count(match => tables.Contains(match.Groups[1].Value));
        if (touched == 0) return null;
        var inserted = Inserts().IsMatch(sql) ? 1 : 0;
        var filtered = Filters().Count(sql);
        var loose = TopLevelOr().IsMatch(Parentheses().Replace(sql, ""));
        return inserted + filtered >= touched && !loose ? null : sql;
    }

    private static List<string> Statements() => typeof(SqliteDatabase).Assembly.GetTypes()
        .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
        .Where(field => field is { IsLiteral: true, DeclaringType.Name: not nameof(Schema) } && field.FieldType == typeof(string))
        .Select(field => (string)field.GetRawConstantValue()!)
        .Where(text => Verb().IsMatch(text))
        .ToList();

    private static async Task<List<string>> TenantTablesAsync()
    {
        using var folder = new TemporaryFolder();
        await using var database = folder.Open();
        var tables = await database.ReadAsync(
            session =>
            {
                using var row = session.Use("SELECT name FROM sqlite_master WHERE type = 'table'");
                var names = new List<string>();
                while (row.Step()) names.Add(row.Text(0));
                return names;
            },
            TestContext.Current.CancellationToken);
        return [.. tables.Except(Shared)];
    }

    private static string SourceFolder()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Penstock.slnx"))) folder = folder.Parent;
        return Path.Combine(folder!.FullName, "src", "Penstock.Sqlite");
    }

    [GeneratedRegex(@"^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\s")]
    private static partial Regex Verb();

    [GeneratedRegex(@"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")]
    private static partial Regex TableNames();

    [GeneratedRegex(@"(?:WHERE|AND|ON)\s+(?:\w+\.)?tenant = \$tenant\b")]
    private static partial Regex Filters();

    [GeneratedRegex(@"INTO \w+ \(tenant, [^)]*\)\s*(?:VALUES \(|SELECT )\$tenant,")]
    private static partial Regex Inserts();

    [GeneratedRegex(@"\([^()]*\)")]
    private static partial Regex Parentheses();

    [GeneratedRegex(@"\bOR\b")]
    private static partial Regex TopLevelOr();

    [GeneratedRegex(@"\.(?:Use|RunScript)\(([^)]*)\)")]
    private static partial Regex Uses();

    [GeneratedRegex(@"^([A-Z]\w*|migration\.Sql)$")]
    private static partial Regex ConstantName();
}
