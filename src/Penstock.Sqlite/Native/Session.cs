using System.Runtime.InteropServices;
using System.Text;

namespace Penstock.Sqlite.Native;

/// <summary>One connection and its prepared statements, for one operation at a time. Only <see cref="Interrupt"/> may be called from another thread.</summary>
internal sealed unsafe class Session : IDisposable
{
    private const int WaitForOthersMs = 5_000;

    /// <summary>By the constant itself: reading a statement of a thousand letters to find it took longer than binding it.</summary>
    private readonly Dictionary<string, Statement> _statements = new(ReferenceEqualityComparer.Instance);
    private nint _connection;

    private Session(nint connection) => _connection = connection;

    /// <exception cref="SqliteException">The file cannot be opened.</exception>
    public static Session Open(string path, bool readOnly)
    {
        var access = readOnly ? Sqlite3.OpenReadOnly : Sqlite3.OpenReadWrite | Sqlite3.OpenCreate;
        var code = Sqlite3.Open(path, out var connection, access | Sqlite3.OpenExtendedCodes | Sqlite3.OpenNoMutex, 0);
        if (code != Sqlite3.Ok)
        {
            var error = Error(connection, code, $"open {path}");
            _ = Sqlite3.Close(connection);
            throw error;
        }

        // Only a tool that an operator points at the file (a backup, the sqlite3 shell) can be in the way.
        _ = Sqlite3.BusyTimeout(connection, WaitForOthersMs);
        return new Session(connection);
    }

    public bool InTransaction => Sqlite3.GetAutoCommit(_connection) == 0;

    /// <summary>The statement for <paramref name="sql"/>, prepared on its first use. Dispose it to give it back; <paramref name="sql"/> is a constant.</summary>
    public Statement Use(string sql)
    {
        ObjectDisposedException.ThrowIf(_connection == 0, this);
        if (!_statements.TryGetValue(sql, out var statement))
        {
            statement = new Statement(this, Prepare(sql), sql);
            _statements.Add(sql, statement);
        }

        statement.Take();
        return statement;
    }

    /// <summary>Runs every statement of a script that has no parameters.</summary>
    public void RunScript(string sql)
    {
        ObjectDisposedException.ThrowIf(_connection == 0, this);
        var bytes = Encoding.UTF8.GetBytes(sql);
        fixed (byte* start = bytes)
        {
            var next = start;
            var end = start + bytes.Length;
            while (next < end)
            {
                Check(Sqlite3.Prepare(_connection, next, (int)(end - next), 0, out var handle, out next), sql);
                if (handle != 0) RunToEnd(handle, sql);
            }
        }
    }

    /// <summary>Makes the statement that is running fail with <see cref="Sqlite3.Interrupted"/>; nothing happens where none is.</summary>
    public void Interrupt() => Sqlite3.Interrupt(_connection);

    public int Changes => Sqlite3.Changes(_connection);

    /// <summary>Key of the row that was inserted last into a table that numbers its rows.</summary>
    public long LastNumber => Sqlite3.LastInsertRowId(_connection);

    public void Check(int code, string sql)
    {
        if (code != Sqlite3.Ok) throw Error(_connection, code, sql);
    }

    public SqliteException Error(int code, string sql) => Error(_connection, code, sql);

    public void Dispose()
    {
        if (_connection == 0) return;
        foreach (var statement in _statements.Values) statement.Discard();
        _statements.Clear();
        _ = Sqlite3.Close(_connection);
        _connection = 0;
    }

    private nint Prepare(string sql)
    {
        var bytes = Encoding.UTF8.GetBytes(sql);
        fixed (byte* start = bytes)
        {
            Check(Sqlite3.Prepare(_connection, start, bytes.Length, Sqlite3.PreparePersistent, out var handle, out var tail), sql);
            if (handle != 0 && tail >= start + bytes.Length) return handle;
            _ = Sqlite3.Discard(handle);
            throw new ArgumentException($"This is not exactly one statement: {sql}");
        }
    }

    private void RunToEnd(nint handle, string sql)
    {
        int code;
        do code = Sqlite3.Step(handle);
        while (code == Sqlite3.Row);
        var error = code == Sqlite3.Done ? null : Error(_connection, code, sql);
        _ = Sqlite3.Discard(handle);
        if (error is not null) throw error;
    }

    private static SqliteException Error(nint connection, int code, string sql)
    {
        var text = connection == 0 ? "out of memory" : Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(Sqlite3.ErrorMessage(connection)));
        // The statement holds parameters, never values, so that it is safe to show.
        return new SqliteException(code, $"SQLite: {text} (code {code}) in: {sql}");
    }
}
