using System.Globalization;

namespace Penstock.Sqlite;

/// <summary>
/// The data folder, owned by this process alone until it is disposed of. The system drops the lock when its owner dies, however it dies,
/// so that nothing has to be cleaned up after a crash.
/// </summary>
internal sealed class DataFolder : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    // What .NET puts into HResult where the lock is another's: errno on Unix. A full or read-only disk is an error of its own.
    private const int LinuxWouldBlock = 11;
    private const int MacWouldBlock = 35;
    private const int WindowsSharingViolation = unchecked((int)0x80070020);

    private readonly FileStream _lock;

    private DataFolder(string path, FileStream @lock) => (Path, _lock) = (path, @lock);

    public string Path { get; }

    public string Database => System.IO.Path.Combine(Path, "penstock.db");

    /// <exception cref="DataFolderInUseException">Another process, or another store in this one, has it.</exception>
    public static DataFolder Own(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute);

        var folder = new DataFolder(path, Lock(path));
        try
        {
            File.WriteAllText(PidFile(path), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            // A folder that was there before may be open to others; what SQLite makes beside the database takes the database's mode.
            Create(folder.Database, FileShare.ReadWrite).Dispose();
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    public void Dispose() => _lock.Dispose();

    private static FileStream Lock(string path)
    {
        var file = System.IO.Path.Combine(path, "penstock.lock");
        try
        {
            // FileShare.None is flock(LOCK_EX) on Unix: it also refuses a second store in this process.
            return Create(file, FileShare.None);
        }
        catch (IOException e) when (e.HResult is LinuxWouldBlock or MacWouldBlock or WindowsSharingViolation)
        {
            throw new DataFolderInUseException(path, Owner(path));
        }
    }

    private static FileStream Create(string file, FileShare share)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = share };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        return new FileStream(file, options);
    }

    /// <summary>A file of its own, because a locked one cannot be read by those whom it should tell.</summary>
    private static string PidFile(string path) => System.IO.Path.Combine(path, "penstock.pid");

    private static int? Owner(string path)
    {
        try
        {
            return int.TryParse(File.ReadAllText(PidFile(path)), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : null;
        }
        catch (IOException)
        {
            // The owner is writing it just now; the refusal is as true without the number.
            return null;
        }
    }
}

/// <summary>The data folder belongs to another running process. Two would lose each other's writes, so the second is refused.</summary>
public sealed class DataFolderInUseException(string folder, int? owner) : Exception(Explain(folder, owner))
{
    public string Folder { get; } = folder;

    /// <summary>Process that has it; null where it could not be told.</summary>
    public int? OwnerPid { get; } = owner;

    private static string Explain(string folder, int? owner) => string.Create(CultureInfo.InvariantCulture,
        $"The data folder '{folder}' is in use by {(owner is { } pid ? $"process {pid}" : "another process")}. Stop that process, or give this one a folder of its own (PENSTOCK_DATA).");
}
