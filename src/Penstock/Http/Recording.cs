using Microsoft.Extensions.Primitives;

namespace Penstock.Http;

/// <summary>How an answer begins.</summary>
internal sealed record RecordedHead(int Status, IReadOnlyList<KeyValuePair<string, StringValues>> Headers);

internal enum RecordingState
{
    /// <summary>There are bytes to read.</summary>
    More,

    /// <summary>All was read.</summary>
    Ended,

    /// <summary>All that came was read, and no end will come.</summary>
    Failed,

    /// <summary>This reader fell too far behind: what it would read next is gone.</summary>
    Lost,
}

/// <summary>
/// An answer apart from any client: one writer appends to it, and any number of readers copy from its start, each at its own pace. Up to
/// <paramref name="mostHeld"/> bytes it is whole, and nobody waits for anybody. Past them nobody can join any more, the writer keeps pace with the fastest
/// reader, what all have read is dropped, and a reader that is <see cref="Patience"/> times as much behind is lost.
/// </summary>
/// <param name="abandon">Called once when the last reader leaves before the end; null where the work goes on without readers.</param>
internal sealed class Recording(int mostHeld, Action? abandon)
{
    /// <summary>Longest answer that stays whole, in bytes; default of every recording.</summary>
    public const int MostHeld = 8 * 1024 * 1024;

    /// <summary>How far behind a reader may be, in answers of the largest size that stays whole: what one client's network swallows at once is no other's fault.</summary>
    private const int Patience = 8;

    /// <summary>Bytes a reader takes at once.</summary>
    private const int MostRead = 64 * 1024;

    private readonly Lock _lock = new();
    private readonly List<byte[]> _chunks = [];
    private readonly List<Reader> _readers = [];
    private TaskCompletionSource _written = NewSignal();
    private TaskCompletionSource _read = NewSignal();
    private RecordedHead? _head;
    private long _first;
    private long _held;
    private long _length;
    private bool _sealed;
    private bool _ended;
    private bool _failed;
    private bool _abandoned;

    /// <summary>Null until the answer began.</summary>
    public RecordedHead? Head
    {
        get
        {
            lock (_lock) return _head;
        }
    }

    /// <summary>True once the last reader left before the end, where that ends the work.</summary>
    public bool Abandoned
    {
        get
        {
            lock (_lock) return _abandoned;
        }
    }

    public int Readers
    {
        get
        {
            lock (_lock) return _readers.Count;
        }
    }

    /// <summary>True once it failed: what is there is not all.</summary>
    public bool Broken
    {
        get
        {
            lock (_lock) return _failed;
        }
    }

    public void Begin(RecordedHead head)
    {
        lock (_lock) _head ??= head;
    }

    /// <summary>Copies <paramref name="bytes"/>; waits only where more is held than may be.</summary>
    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        for (var rest = bytes; !rest.IsEmpty; rest = rest[Math.Min(rest.Length, MostRead)..])
        {
            var wait = Add(rest[..Math.Min(rest.Length, MostRead)]);
            while (wait is not null)
            {
                await wait.WaitAsync(ct);
                lock (_lock) wait = Trim() ? null : _read.Task;
            }
        }
    }

    /// <summary>All is written, though its end is not told yet: who leaves from here on abandons nothing.</summary>
    public void Seal()
    {
        lock (_lock) _sealed = true;
    }

    /// <summary>All is there. Nothing happens where it failed.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _ended = !_failed;
            Signal(ref _written);
        }
    }

    /// <summary>No more will come. Nothing happens where all is there.</summary>
    public void Fail()
    {
        lock (_lock)
        {
            _failed = !_ended;
            Signal(ref _written);
        }
    }

    /// <summary>Everything from the start; null where the start is gone.</summary>
    public byte[]? Whole()
    {
        lock (_lock)
        {
            if (_length > mostHeld) return null;
            var whole = new byte[_held];
            var at = 0;
            foreach (var chunk in _chunks)
            {
                chunk.CopyTo(whole, at);
                at += chunk.Length;
            }

            return whole;
        }
    }

    /// <summary>A reader from the start; null where nobody can join any more.</summary>
    public Reader? Attach()
    {
        lock (_lock)
        {
            if (_length > mostHeld || _abandoned) return null;
            var reader = new Reader(this);
            _readers.Add(reader);
            return reader;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static void Signal(ref TaskCompletionSource signal)
    {
        signal.TrySetResult();
        signal = NewSignal();
    }

    /// <returns>What to wait for before more is added; null where there is room.</returns>
    private Task? Add(ReadOnlyMemory<byte> bytes)
    {
        lock (_lock)
        {
            _chunks.Add(bytes.ToArray());
            _held += bytes.Length;
            _length += bytes.Length;
            Signal(ref _written);
            return Trim() ? null : _read.Task;
        }
    }

    /// <summary>Drops what nobody needs, or too slow a reader. False where the writer is to wait for the fastest.</summary>
    private bool Trim()
    {
        if (_held <= mostHeld) return true;
        var slowest = _readers.Count == 0 ? long.MaxValue : _readers.Min(reader => reader.Next);
        var fastest = _readers.Count == 0 ? long.MaxValue : _readers.Max(reader => reader.Next);
        var drop = 0;
        while (drop < _chunks.Count && _held > mostHeld && _first + drop < (_held > mostHeld * (long)Patience ? fastest : slowest)) _held -= _chunks[drop++].Length;
        _chunks.RemoveRange(0, drop);
        _first += drop;
        return _readers.Count == 0 || _length - _readers.Max(reader => reader.Read) <= mostHeld;
    }

    private RecordingState? Take(Reader reader, List<ReadOnlyMemory<byte>> into)
    {
        if (reader.Next < _first) return RecordingState.Lost;
        var taken = 0;
        for (var at = (int)(reader.Next - _first); at < _chunks.Count && taken < MostRead; at++)
        {
            into.Add(_chunks[at]);
            taken += _chunks[at].Length;
            reader.Read += _chunks[at].Length;
            reader.Next++;
        }

        if (into.Count > 0)
        {
            Signal(ref _read);
            return RecordingState.More;
        }

        return _failed ? RecordingState.Failed : _ended ? RecordingState.Ended : null;
    }

    private void Leave(Reader reader)
    {
        lock (_lock)
        {
            if (!_readers.Remove(reader)) return;
            Signal(ref _read);
            if (abandon is null || _readers.Count > 0 || _sealed || _ended || _failed || _abandoned) return;
            _abandoned = true;
        }

        abandon();
    }

    /// <summary>One reader's place. Disposing it leaves.</summary>
    internal sealed class Reader(Recording owner) : IDisposable
    {
        public Recording Recording => owner;

        /// <summary>Number of the next chunk; the recording's to change.</summary>
        internal long Next { get; set; }

        /// <summary>Bytes read so far.</summary>
        internal long Read { get; set; }

        /// <summary>Waits until there is something to say. Replaces what <paramref name="into"/> holds.</summary>
        public async ValueTask<RecordingState> ReadAsync(List<ReadOnlyMemory<byte>> into, CancellationToken ct)
        {
            into.Clear();
            while (true)
            {
                Task written;
                lock (owner._lock)
                {
                    if (owner.Take(this, into) is { } state) return state;
                    written = owner._written.Task;
                }

                await written.WaitAsync(ct);
            }
        }

        public void Dispose() => owner.Leave(this);
    }
}
