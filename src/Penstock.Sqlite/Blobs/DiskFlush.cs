using System.Runtime.InteropServices;

namespace Penstock.Sqlite.Blobs;

/// <summary>Flushes what a folder holds to the disk: a file whose name is not there after a power cut is lost, however well it was written. .NET has no call for it.</summary>
internal static partial class DiskFlush
{
    private const int ReadOnly = 0;

    /// <exception cref="IOException">The system could not.</exception>
    public static void Folder(string path)
    {
        // NTFS journals its names, and gives no handle for this.
        if (OperatingSystem.IsWindows()) return;
        var handle = Open(path, ReadOnly);
        // Removed meanwhile, with what was in it.
        if (handle < 0 && !Directory.Exists(path)) return;
        if (handle < 0) throw Failed("opened", path);
        try
        {
            if (Flush(handle) != 0) throw Failed("flushed", path);
        }
        finally
        {
            _ = Close(handle);
        }
    }

    private static IOException Failed(string what, string path) => new($"The folder '{path}' could not be {what}: error {Marshal.GetLastPInvokeError()} of the system.");

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Flush(int handle);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int handle);
}
