using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Penstock.Sqlite.Native;

/// <summary>
/// A prepared statement: set every parameter by name, then <see cref="Run"/> it or <see cref="Step"/> through its rows. Disposing gives it back to its
/// session, ready for the next use. Text that is not valid UTF-16 is refused, because two such texts could be stored as the same bytes.
/// </summary>
internal sealed unsafe class Statement : IDisposable
{
    private const int UsualTextBytes = 1024;

    /// <summary>Longest text for which three bytes a letter are set aside; a longer one is measured first.</summary>
    private const int MostMeasured = 256;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Session _session;
    private readonly string _sql;
    private readonly Dictionary<string, int> _parameters = new(StringComparer.Ordinal);

    /// <summary>Parameters in the order in which they were set the last time, which is most often the order of this time.</summary>
    private readonly List<(string Name, int Index)> _order = [];

    /// <summary>Texts and bytes that are bound now, where they cannot move.</summary>
    private byte[] _bound = GC.AllocateUninitializedArray<byte>(UsualTextBytes, pinned: true);
    private nint _handle;
    private int _set;
    private int _boundBytes;
    private List<byte[]>? _full;
    private ulong _unset;
    private bool _taken;

    public Statement(Session session, nint handle, string sql)
    {
        (_session, _handle, _sql) = (session, handle, sql);
        for (var i = 1; i <= Sqlite3.ParameterCount(handle); i++)
        {
            var name = Sqlite3.ParameterName(handle, i);
            _parameters.Add(name is null ? $"?{i}" : Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)), i);
        }
    }

    public void Take()
    {
        if (_taken) throw new InvalidOperationException($"This statement is in use already: {_sql}");
        _taken = true;
        // One bit for each parameter not yet set: a forgotten one would silently be NULL. A statement has at most 64.
        _unset = _parameters.Count == 64 ? ulong.MaxValue : (1UL << _parameters.Count) - 1;
    }

    public Statement Set(string name, string? value)
    {
        if (value is null) return SetNull(name);
        var bytes = Room(value.Length <= MostMeasured ? value.Length * 3 : Strict.GetByteCount(value));
        var length = Strict.GetBytes(value, bytes);
        Bind(name, bytes[..length], text: true);
        return this;
    }

    public Statement Set(string name, long? value)
    {
        if (value is not { } number) return SetNull(name);
        _session.Check(Sqlite3.BindLong(_handle, Index(name), number), _sql);
        return this;
    }

    public Statement Set(string name, double? value)
    {
        if (value is not { } number) return SetNull(name);
        // SQLite would store NULL in its place.
        if (double.IsNaN(number)) throw new ArgumentException($"{name} is not a number.", nameof(value));
        _session.Check(Sqlite3.BindDouble(_handle, Index(name), number), _sql);
        return this;
    }

    public Statement Set(string name, bool value) => Set(name, value ? 1L : 0L);

    public Statement Set(string name, ReadOnlyMemory<byte>? value)
    {
        if (value is not { } blob) return SetNull(name);
        var bytes = Room(blob.Length);
        blob.Span.CopyTo(bytes);
        Bind(name, bytes[..blob.Length], text: false);
        return this;
    }

    /// <summary>Moves to the next row; false after the last.</summary>
    public bool Step()
    {
        if (_unset != 0) throw new InvalidOperationException($"Parameter {FirstUnset()} is not set in: {_sql}");
        return Sqlite3.Step(_handle) switch
        {
            Sqlite3.Row => true,
            Sqlite3.Done => false,
            var code => throw _session.Error(code, _sql),
        };
    }

    /// <summary>Runs a statement that changes rows.</summary>
    /// <returns>Number of rows changed.</returns>
    public int Run()
    {
        while (Step())
        {
        }

        return _session.Changes;
    }

    public bool IsNull(int column) => Sqlite3.ColumnType(_handle, column) == Sqlite3.TypeNull;

    public long Long(int column) => Sqlite3.ColumnLong(_handle, column);

    public int Int(int column) => checked((int)Long(column));

    public bool Flag(int column) => Long(column) != 0;

    public double Double(int column) => Sqlite3.ColumnDouble(_handle, column);

    public string Text(int column) => Encoding.UTF8.GetString(Bytes(column));

    public byte[] Blob(int column) => Bytes(column).ToArray();

    public long? LongOrNull(int column) => IsNull(column) ? null : Long(column);

    public int? IntOrNull(int column) => IsNull(column) ? null : Int(column);

    public double? DoubleOrNull(int column) => IsNull(column) ? null : Double(column);

    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    public ReadOnlyMemory<byte>? BlobOrNull(int column)
    {
        // Not a conditional: a null array would turn into empty memory, which is a value.
        if (IsNull(column)) return null;
        return Blob(column);
    }

    public void Dispose()
    {
        if (!_taken) return;
        // Both report the error of the last step again, which its caller has seen.
        _ = Sqlite3.Reset(_handle);
        _ = Sqlite3.ClearBindings(_handle);
        (_taken, _set, _boundBytes) = (false, 0, 0);
        if (_full is null) return;
        // One large answer must not keep its size for ever.
        (_full, _bound) = (null, GC.AllocateUninitializedArray<byte>(UsualTextBytes, pinned: true));
    }

    public void Discard()
    {
        _ = Sqlite3.Discard(_handle);
        _handle = 0;
    }

    /// <summary>The bytes as they are stored, until the next step; a NUL inside a text does not end them.</summary>
    public ReadOnlySpan<byte> Bytes(int column)
    {
        var start = Sqlite3.ColumnBlob(_handle, column);
        return new ReadOnlySpan<byte>(start, Sqlite3.ColumnBytes(_handle, column));
    }

    private Statement SetNull(string name)
    {
        // Dispose has cleared all bindings to NULL.
        Index(name);
        return this;
    }

    private int Index(string name)
    {
        if (!_taken) throw new InvalidOperationException($"This statement was given back already: {_sql}");
        var index = _set < _order.Count && ReferenceEquals(_order[_set].Name, name) ? _order[_set].Index : Find(name);
        _set++;
        _unset &= ~(1UL << (index - 1));
        return index;
    }

    private int Find(string name)
    {
        if (!_parameters.TryGetValue(name, out var index)) throw new ArgumentException($"There is no parameter {name} in: {_sql}", nameof(name));
        if (_set < _order.Count) _order[_set] = (name, index);
        else _order.Add((name, index));
        return index;
    }

    /// <summary>Bytes that stay where they are until the statement is given back; at least one, for a null pointer would bind NULL.</summary>
    private Span<byte> Room(int bytes)
    {
        if (_bound.Length - _boundBytes <= bytes)
        {
            (_full ??= []).Add(_bound);
            (_bound, _boundBytes) = (GC.AllocateUninitializedArray<byte>(Math.Max(bytes + 1, UsualTextBytes), pinned: true), 0);
        }

        return _bound.AsSpan(_boundBytes, bytes);
    }

    /// <param name="bytes">From <see cref="Room"/>.</param>
    private void Bind(string name, Span<byte> bytes, bool text)
    {
        var start = (byte*)Unsafe.AsPointer(ref _bound[_boundBytes]);
        var code = text ? Sqlite3.BindText(_handle, Index(name), start, bytes.Length, Sqlite3.Static) : Sqlite3.BindBlob(_handle, Index(name), start, bytes.Length, Sqlite3.Static);
        _boundBytes += bytes.Length;
        _session.Check(code, _sql);
    }

    private string FirstUnset() =>
        _parameters.First(parameter => (_unset & (1UL << (parameter.Value - 1))) != 0).Key.ToString(CultureInfo.InvariantCulture);
}
