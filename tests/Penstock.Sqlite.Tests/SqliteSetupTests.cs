using Microsoft.Extensions.DependencyInjection;
using Penstock.Keys;
using Penstock.Sqlite.Native;
using Penstock.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class SqliteSetupTests
{
    [Fact]
    public async Task The_stores_share_one_database_that_closes_with_the_provider()
    {
        using var folder = new TemporaryFolder();
        await using (var provider = new ServiceCollection().AddSqliteStore(folder.Options).BuildServiceProvider())
        {
            var database = provider.GetRequiredService<SqliteDatabase>();
            Assert.Equal(Path.Combine(folder.Path, "penstock.db"), database.File);
            Assert.Empty(await provider.GetRequiredService<IKeyStore>().ListAsync(Kernel.TenantId.Default, TestContext.Current.CancellationToken));
            Assert.Empty(await provider.GetRequiredService<IUsageStore>().ListAsync(Kernel.TenantId.Default, new UsageQuery(), 1, TestContext.Current.CancellationToken));
            Assert.Throws<DataFolderInUseException>(folder.Open);
        }

        await using var again = folder.Open();
    }

    [Fact]
    public void The_library_says_what_it_is_and_the_one_built_here_is_preferred()
    {
        var library = SqliteLibrary.Loaded;

        Assert.Matches(@"^3\.\d+\.\d+$", library.Version);
        var built = Path.Combine(AppContext.BaseDirectory, "libe_sqlite3.so");
        if (File.Exists(built)) Assert.Equal(built, library.Path);
        else Assert.NotEmpty(library.Path);
    }

    [Theory]
    [InlineData("3.34.1", 3_034_001, true, "too old")]
    [InlineData("3.53.2", 3_053_002, false, "without support for threads")]
    public void A_library_that_cannot_serve_is_refused_with_the_fix(string version, int number, bool threadSafe, string reason)
    {
        var objection = SqliteLibrary.Objection(version, number, threadSafe, "/usr/lib/libsqlite3.so.0");

        Assert.NotNull(objection);
        Assert.Contains($"SQLite {version} from /usr/lib/libsqlite3.so.0", objection, StringComparison.Ordinal);
        Assert.Contains(reason, objection, StringComparison.Ordinal);
        Assert.Contains("build/native.sh", objection, StringComparison.Ordinal);
    }

    [Fact]
    public void The_oldest_library_that_serves_is_3_37() => Assert.Null(SqliteLibrary.Objection("3.37.0", 3_037_000, true, "x"));
}
