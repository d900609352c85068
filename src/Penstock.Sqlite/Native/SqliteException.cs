namespace Penstock.Sqlite.Native;

/// <summary>SQLite could not do what it was told: a full disk, an I/O error, a broken file, a constraint.</summary>
/// <param name="code">Extended result code (https://sqlite.org/rescode.html).</param>
public sealed class SqliteException(int code, string message) : Exception(message)
{
    /// <summary>Extended result code.</summary>
    public int Code { get; } = code;

    /// <summary>The lower eight bits, which name the family.</summary>
    internal int PrimaryCode => Code & 0xFF;
}
