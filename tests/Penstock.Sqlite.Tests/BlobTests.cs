using System.Text;
using Penstock.Blobs;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Sqlite.Blobs;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class FolderBlobStoreTests : BlobStoreContract
{
    private readonly TemporaryFolder _folder = new();

    protected override ValueTask<IBlobStore> OpenAsync() => ValueTask.FromResult<IBlobStore>(new FolderBlobStore(Path.Combine(_folder.Path, "blobs")));

    protected override ValueTask<IBlobStore> ReopenAsync() => OpenAsync();

    protected override ValueTask CloseAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}

public sealed class FolderBlobFileTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_crash_left_half_written_is_removed_and_never_read()
    {
        using var folder = new TemporaryFolder();
        var root = Path.Combine(folder.Path, "blobs");
        var store = new FolderBlobStore(root);
        await store.PutAsync(TenantId.Default, new BlobName("a/b"), "whole"u8.ToArray(), Ct);
        await File.WriteAllTextAsync(Path.Combine(root, "tmp", "17"), "hal", Ct);

        store = new FolderBlobStore(root);

        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(root, "tmp")));
        Assert.Equal("whole", Encoding.UTF8.GetString((await store.GetAsync(TenantId.Default, new BlobName("a/b"), Ct))!.Value.Span));
    }

    [Fact]
    public async Task Nothing_unnamed_stays_whatever_became_of_a_put()
    {
        using var folder = new TemporaryFolder();
        var root = Path.Combine(folder.Path, "blobs");
        var store = new FolderBlobStore(root);
        await store.PutAsync(TenantId.Default, new BlobName("a"), "one"u8.ToArray(), Ct);
        await store.PutAsync(TenantId.Default, new BlobName("a"), "one"u8.ToArray(), Ct);
        await Assert.ThrowsAsync<RefusedException>(() => store.PutAsync(TenantId.Default, new BlobName("a"), "two"u8.ToArray(), Ct));
        await store.PutAsync(TenantId.Default, new BlobName("gone/b"), "one"u8.ToArray(), Ct);
        await store.RemoveAsync(TenantId.Default, "gone/", Ct);

        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(root, "tmp")));
        Assert.Single(Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Only_the_owner_reads_blobs()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("Windows has no modes.");
        using var folder = new TemporaryFolder();
        var root = Path.Combine(folder.Path, "blobs");
        await new FolderBlobStore(root).PutAsync(TenantId.Default, new BlobName("a/b"), "one"u8.ToArray(), Ct);

        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        Assert.All(Directory.EnumerateFileSystemEntries(root, "*", SearchOption.AllDirectories), entry => Assert.Equal((UnixFileMode)0, OperatingSystem.IsWindows() ? 0 : File.GetUnixFileMode(entry) & others));
    }

    [Fact]
    public async Task Folders_that_go_while_blobs_come_lose_none_that_came_later()
    {
        using var folder = new TemporaryFolder();
        var store = new FolderBlobStore(Path.Combine(folder.Path, "blobs"));
        await Task.WhenAll(Enumerable.Range(0, 200).Select(i => i % 2 == 0
            ? store.PutAsync(TenantId.Default, new BlobName($"raced/{i}"), "x"u8.ToArray(), Ct)
            : store.RemoveAsync(TenantId.Default, "raced/", Ct)));

        await store.PutAsync(TenantId.Default, new BlobName("raced/last"), "x"u8.ToArray(), Ct);

        Assert.NotNull(await store.GetAsync(TenantId.Default, new BlobName("raced/last"), Ct));
    }
}
