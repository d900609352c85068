using Penstock.Contracts;
using Penstock.Sqlite.Native;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class MigrationTests : IDisposable
{
    private const string ReadSchema = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY 1";
    private const string ReadJournal = "SELECT number || name || hash || applied_at FROM schema_migrations ORDER BY 1";

    private static readonly Migration First = new(1, "first", "CREATE TABLE one (a INTEGER); CREATE TABLE two (b INTEGER);");
    private static readonly Migration Second = new(2, "second", "ALTER TABLE one ADD COLUMN c INTEGER; INSERT INTO one (a, c) VALUES (1, 2);");

    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_second_open_applies_nothing_and_changes_nothing()
    {
        List<string> schema, journal;
        await using (var database = _folder.Open())
        {
            Assert.Equal(Migrations.All.Select(migration => new AppliedMigration(migration.Number, migration.Name)), database.Applied);
            schema = await TextsAsync(database, ReadSchema);
            journal = await TextsAsync(database, ReadJournal);
        }

        await using var again = _folder.Open();
        Assert.Empty(again.Applied);
        Assert.Equal(schema, await TextsAsync(again, ReadSchema));
        Assert.Equal(journal, await TextsAsync(again, ReadJournal));
    }

    [Fact]
    public void Only_what_is_missing_is_applied()
    {
        using var session = OpenSession();

        Assert.Equal([new AppliedMigration(1, "first")], Migrations.Apply(session, "a.db", [First], _time));
        Assert.Equal([new AppliedMigration(2, "second")], Migrations.Apply(session, "a.db", [First, Second], _time));
        Assert.Empty(Migrations.Apply(session, "a.db", [First, Second], _time));
    }

    [Fact]
    public void A_database_of_a_newer_build_is_refused_by_name()
    {
        using var session = OpenSession();
        Migrations.Apply(session, "a.db", [First, Second], _time);

        var error = Assert.Throws<SchemaException>(() => Migrations.Apply(session, "a.db", [First], _time));

        Assert.Equal(
            "The database a.db is of a newer Penstock: it is at migration 2 'second', and this build knows 1 ('first'). Run the newer build, or restore a backup made before the upgrade.",
            error.Message);
    }

    [Fact]
    public void A_number_may_be_left_out()
    {
        using var session = OpenSession();
        var later = Second with { Number = 5 };

        Assert.Equal(2, Migrations.Apply(session, "a.db", [First, later], _time).Count);
        Assert.Empty(Migrations.Apply(session, "a.db", [First, later], _time));
    }

    [Fact]
    public async Task Open_refuses_a_newer_database_and_gives_the_folder_back()
    {
        await using (var database = _folder.Open())
        {
            await database.WriteAsync(
                session =>
                {
                    session.RunScript("INSERT INTO schema_migrations (number, name, hash, applied_at) VALUES (999, 'from the future', 'x', 0)");
                    return true;
                },
                TestContext.Current.CancellationToken);
        }

        Assert.Contains("999 'from the future'", Assert.Throws<SchemaException>(_folder.Open).Message, StringComparison.Ordinal);
        Assert.Throws<SchemaException>(_folder.Open);
    }

    [Fact]
    public void A_step_that_was_edited_after_its_release_is_refused()
    {
        using var session = OpenSession();
        Migrations.Apply(session, "a.db", [First], _time);

        var error = Assert.Throws<SchemaException>(() => Migrations.Apply(session, "a.db", [First with { Sql = First.Sql + " " }], _time));

        Assert.Contains("Migration 1 'first'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_that_fails_half_way_leaves_nothing_behind()
    {
        using var session = OpenSession();
        var broken = new Migration(2, "broken", "CREATE TABLE three (a INTEGER); INSERT INTO missing VALUES (1);");

        Assert.Throws<SqliteException>(() => Migrations.Apply(session, "a.db", [First, broken], _time));

        Assert.DoesNotContain(Texts(session, ReadSchema), line => line.Contains("three", StringComparison.Ordinal));
        Assert.Equal([new AppliedMigration(2, "second")], Migrations.Apply(session, "a.db", [First, Second], _time));
    }

    [Fact]
    public void Line_ends_do_not_change_a_hash()
    {
        Assert.Equal(new Migration(1, "a", "x\ny").Hash, new Migration(1, "a", "x\r\ny").Hash);
        Assert.NotEqual(new Migration(1, "a", "x\ny").Hash, new Migration(1, "a", "xy").Hash);
    }

    [Fact]
    public void Released_steps_are_as_they_were_released()
    {
        // A line is added for each migration and never changed: databases carry these hashes.
        Assert.Equal(
            [
                "1 e09d40380cd33e4185bd650c771c625d915b4ac10114d230ccf83a9b0409df74",
                "2 ff9b2f86bd2330e8828b04c7cb64fd4650e7530455826141fffb8ffd7ad7ff2c",
                "3 cb250e34a65e4ef861cb99e4f166b1d89b74abb9306f614a36afc5a85efc8ac4",
                "4 dc4bac834562d10bbe72a86d0588d8e27e18d754531a3d67b0cc1468c06669df",
                "5 4664a5b855c4dac19ec224876a10c480e37a0998769c63e27a4d08c741542649",
                "6 658f491dc510f62340de88a06a6f67406047fe09ea47d326bda906291d8fcae7",
                "7 780bd8bf950fd5ece95932ef5ed547a678e68cf5bf71f32dfa41d889ae834357",
                "8 c5a1f1e686a4d46640168cf142f4cf3715dee12dde27a39311735c7f1cba264b",
                "9 a1fb31fb5f622173e18437a16513df1245ab55fac2ab72d89ccaca7362cc70bb",
                "10 7ae9229bebf1cc37b10a85920a199471e9f190017ca189e8600ab50d8caea1e9",
                "11 6f0b24f88719365f31d4cd3fa32a7d6dab75833b0f51bdaafd4c8d2896b8f875",
                "12 a548f2c2f0c5de7b8603141ca14e1a081f02b07d5eeaaf6b67ea062e1607200d",
                "13 c76b5ead2f950e477500ef4c4b6f6c31feedb6bc0d0a56dde8ff268b6262e0bf",
            ],
            Migrations.All.Select(migration => $"{migration.Number} {migration.Hash}"));
    }

    private Session OpenSession()
    {
        Directory.CreateDirectory(_folder.Path);
        return Session.Open(Path.Combine(_folder.Path, "a.db"), readOnly: false);
    }

    private static Task<List<string>> TextsAsync(SqliteDatabase database, string sql) =>
        database.ReadAsync(session => Texts(session, sql), TestContext.Current.CancellationToken);

    private static List<string> Texts(Session session, string sql)
    {
        using var row = session.Use(sql);
        var texts = new List<string>();
        while (row.Step()) texts.Add(row.Text(0));
        return texts;
    }
}
