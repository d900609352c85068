using System.Runtime.InteropServices;
using System.Text;

namespace Penstock.Sqlite.Native;

/// <summary>Which SQLite this process runs on: the one compiled with Penstock, or the system's.</summary>
/// <param name="Path">File it was loaded from, or the name the system resolved.</param>
/// <param name="Version">Such as <c>3.53.2</c>.</param>
public sealed record SqliteLibrary(string Path, string Version)
{
    /// <summary>3.37 brought <c>STRICT</c>.</summary>
    private const int OldestVersionNumber = 3_037_000;

    private static readonly Lazy<SqliteLibrary> Checked = new(Check);

    /// <summary>Loads the library on first use.</summary>
    /// <exception cref="SqliteUnavailableException">There is none, or it is too old or not safe with threads.</exception>
    public static SqliteLibrary Loaded => Checked.Value;

    private static unsafe SqliteLibrary Check()
    {
        var path = "";
        NativeLibrary.SetDllImportResolver(typeof(SqliteLibrary).Assembly, (name, _, _) => name == Sqlite3.Library ? Load(out path) : 0);
        string version;
        int number;
        bool threadSafe;
        try
        {
            version = Text(Sqlite3.LibVersion());
            number = Sqlite3.LibVersionNumber();
            threadSafe = Sqlite3.ThreadSafe() != 0;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new SqliteUnavailableException(
                "No usable SQLite library was found. Run build/native.sh to compile one, or install the system's (Debian: apt install libsqlite3-0).", e);
        }

        if (Objection(version, number, threadSafe, path) is { } objection) throw new SqliteUnavailableException(objection);
        return new SqliteLibrary(path, version);
    }

    internal static string? Objection(string version, int number, bool threadSafe, string path) => (number, threadSafe) switch
    {
        ( < OldestVersionNumber, _) => $"SQLite {version} from {path} is too old: 3.37 or newer is needed. Run build/native.sh to compile a newer one, or update the system's.",
        (_, false) => $"SQLite {version} from {path} was compiled without support for threads (SQLITE_THREADSAFE=0). Run build/native.sh to compile one with it.",
        _ => null,
    };

    private static nint Load(out string path)
    {
        foreach (var candidate in Candidates())
        {
            path = candidate;
            if (NativeLibrary.TryLoad(candidate, out var handle)) return handle;
        }

        path = "";
        return 0;
    }

    private static IEnumerable<string> Candidates()
    {
        var extension = OperatingSystem.IsWindows() ? "e_sqlite3.dll" : OperatingSystem.IsMacOS() ? "libe_sqlite3.dylib" : "libe_sqlite3.so";
        yield return System.IO.Path.Combine(AppContext.BaseDirectory, extension);
        yield return OperatingSystem.IsWindows() ? "winsqlite3.dll" : OperatingSystem.IsMacOS() ? "libsqlite3.dylib" : "libsqlite3.so.0";
    }

    private static unsafe string Text(byte* text) => Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
}

/// <summary>No SQLite library that the store can run on; the message says which was found and what to do.</summary>
public sealed class SqliteUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
