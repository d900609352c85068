using System.Globalization;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class DataFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact(Timeout = 60_000)]
    public async Task Open_is_refused_while_another_process_has_the_folder_and_works_once_that_was_killed()
    {
        using var owner = OtherProcess.Hold(_folder.Path);
        Assert.Equal(OtherProcess.Opened, await owner.ReadLineAsync(Ct));

        var refusal = Assert.Throws<DataFolderInUseException>(_folder.Open);
        Assert.Equal(_folder.Path, refusal.Folder);
        Assert.Equal(owner.Pid, refusal.OwnerPid);
        Assert.Equal(
            string.Create(CultureInfo.InvariantCulture, $"The data folder '{_folder.Path}' is in use by process {owner.Pid}. Stop that process, or give this one a folder of its own (PENSTOCK_DATA)."),
            refusal.Message);

        await owner.KillAsync(Ct);
        await using var database = _folder.Open();
        Assert.Empty(database.Applied);
    }

    [Fact(Timeout = 60_000)]
    public async Task Another_process_is_refused_while_this_one_has_the_folder()
    {
        await using var database = _folder.Open();

        using var second = OtherProcess.Hold(_folder.Path);

        Assert.Contains($"in use by process {Environment.ProcessId}", await second.ReadLineAsync(Ct), StringComparison.Ordinal);
        Assert.Null(await second.ReadLineAsync(Ct));
    }

    [Fact]
    public async Task A_second_store_in_the_same_process_is_refused_until_the_first_is_closed()
    {
        await using (_folder.Open())
        {
            Assert.Equal(Environment.ProcessId, Assert.Throws<DataFolderInUseException>(_folder.Open).OwnerPid);
        }

        await using var again = _folder.Open();
    }

    [Fact]
    public async Task What_is_made_is_readable_by_its_owner_alone()
    {
        if (OperatingSystem.IsWindows()) return;
        await using var database = _folder.Open();

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder.Path));
        foreach (var file in new[] { "penstock.db", "penstock.db-wal", "penstock.db-shm", "penstock.lock" })
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder.Path, file)));
        }
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_refused_by_name_and_left_as_it_was()
    {
        Directory.CreateDirectory(_folder.Path);
        var file = Path.Combine(_folder.Path, "penstock.db");
        await File.WriteAllTextAsync(file, new string('x', 10_000), Ct);

        var error = Assert.Throws<Native.SqliteException>(_folder.Open);

        Assert.Contains($"{file} is not a SQLite database", error.Message, StringComparison.Ordinal);
        Assert.Equal(10_000, new FileInfo(file).Length);
        // The refusal gave the folder back.
        File.Delete(file);
        await using var database = _folder.Open();
    }
}
