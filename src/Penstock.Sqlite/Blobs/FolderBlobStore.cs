using Penstock.Blobs;
using Penstock.Kernel;

namespace Penstock.Sqlite.Blobs;

/// <summary>
/// Blobs as files below one folder, which this process alone owns. A file appears whole or not at all: it is written beside, flushed, and then given its name;
/// what a crash leaves unnamed is removed at the next start.
/// </summary>
internal sealed class FolderBlobStore : IBlobStore
{
    private const string Unnamed = "tmp";
    private const int MostTries = 10;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _root;
    private readonly string _unnamed;
    private long _next;

    public FolderBlobStore(string root)
    {
        _root = Path.GetFullPath(root);
        _unnamed = Path.Combine(_root, Unnamed);
        if (Directory.Exists(_unnamed)) Directory.Delete(_unnamed, recursive: true);
        Make(_unnamed);
    }

    public Task PutAsync(TenantId tenant, BlobName name, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        var path = BlobPath.Of(_root, tenant, name);
        return Task.Run(() => Put(name, path, body), ct);
    }

    public Task<ReadOnlyMemory<byte>?> GetAsync(TenantId tenant, BlobName name, CancellationToken ct)
    {
        var path = BlobPath.Of(_root, tenant, name);
        return Task.Run(() => Read(path) is { } body ? (ReadOnlyMemory<byte>?)body : null, ct);
    }

    public Task RemoveAsync(TenantId tenant, string folder, CancellationToken ct)
    {
        var path = BlobPath.OfFolder(_root, tenant, folder);
        return Task.Run(() => Remove(path), ct);
    }

    private void Put(BlobName name, string path, ReadOnlyMemory<byte> body)
    {
        var written = Write(body.Span);
        try
        {
            while (!TryName(written, path))
            {
                if (Read(path) is not { } there) continue;
                if (!there.AsSpan().SequenceEqual(body.Span)) throw name.Taken();
                break;
            }

            // Also where another put it there just now: its folder may not be flushed yet.
            Disk.FlushFolder(Path.GetDirectoryName(path)!);
        }
        finally
        {
            File.Delete(written);
        }
    }

    private static byte[]? Read(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private string Write(ReadOnlySpan<byte> body)
    {
        var path = NextUnnamed();
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        using var file = new FileStream(path, options);
        file.Write(body);
        file.Flush(flushToDisk: true);
        return path;
    }

    /// <summary>False where the name is, or just was, taken.</summary>
    private static bool TryName(string written, string path)
    {
        for (var tries = 1; ; tries++)
        {
            Make(Path.GetDirectoryName(path)!);
            try
            {
                Disk.Name(written, path);
                return true;
            }
            catch (IOException) when (File.Exists(path))
            {
                return false;
            }
            catch (IOException) when (tries < MostTries)
            {
                // Its folder, or what had the name, was removed between the lines above.
            }
        }
    }

    /// <summary>Gone from its place in one step, and then file by file.</summary>
    private void Remove(string path)
    {
        var removed = NextUnnamed();
        try
        {
            Directory.Move(path, removed);
        }
        catch (DirectoryNotFoundException)
        {
            return;
        }

        Disk.FlushFolder(Path.GetDirectoryName(path)!);
        Directory.Delete(removed, recursive: true);
    }

    /// <summary>Every folder that is new is flushed into the one that holds it.</summary>
    private static void Make(string folder)
    {
        if (Directory.Exists(folder)) return;
        var parent = Path.GetDirectoryName(folder)!;
        Make(parent);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, OwnerOnly | UnixFileMode.UserExecute);
        Disk.FlushFolder(parent);
    }

    private string NextUnnamed() => Path.Combine(_unnamed, Interlocked.Increment(ref _next).ToString(System.Globalization.CultureInfo.InvariantCulture));
}
