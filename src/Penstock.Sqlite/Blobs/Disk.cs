using System.Runtime.InteropServices;

namespace Penstock.Sqlite.Blobs;

/// <summary>What .NET has no call for, and a file that must neither be lost nor replaced needs.</summary>
internal static partial class Disk
{
    private const int ReadOnly = 0;

    /// <summary>Gives a file its name, in one step, unless another file has it. <c>File.Move</c> looks first and renames then, which replaces what came between.</summary>
    /// <exception cref="IOException">The name is taken, its folder is not there, or the system could not.</exception>
    public static void Name(string file, string name)
    {
        if (OperatingSystem.IsWindows()) File.Move(file, name);
        else if (Link(file, name) != 0) throw Failed("given a file", name);
    }

    /// <summary>Flushes what a folder holds to the disk: a file whose name is not there after a power cut is lost, however well it was written.</summary>
    /// <exception cref="IOException">The system could not.</exception>
    public static void FlushFolder(string path)
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

    private static IOException Failed(string what, string path) => new($"'{path}' could not be {what}: error {Marshal.GetLastPInvokeError()} of the system.");

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Link(string file, string name);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Flush(int handle);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int handle);
}
