using System.Buffers;

namespace Penstock.Providers.Tokens;

/// <summary>
/// Merges the bytes of one piece into tokens: always the pair of lowest rank, the leftmost of equals.
/// A short piece is scanned for each merge; a long one keeps its pairs in a heap, so that no piece costs more than n log n.
/// </summary>
internal static class PairMerge
{
    private const int ShortPiece = 96;
    private const int None = int.MaxValue;

    /// <summary>Returns the number of tokens and adds their ids to <paramref name="ids"/> where it is given.</summary>
    public static int Merge(RankTable ranks, ReadOnlySpan<byte> piece, List<int>? ids)
    {
        var whole = ranks.Find(piece);
        if (whole >= 0)
        {
            ids?.Add(whole);
            return 1;
        }

        return piece.Length <= ShortPiece ? Scan(ranks, piece, ids) : new Heap(ranks, piece).Merge(ids);
    }

    private static int Scan(RankTable ranks, ReadOnlySpan<byte> piece, List<int>? ids)
    {
        // starts[i] begins part i; pair[i] ranks parts i and i + 1 together.
        Span<int> starts = stackalloc int[ShortPiece + 1];
        Span<int> pair = stackalloc int[ShortPiece];
        var parts = piece.Length;
        for (var i = 0; i <= parts; i++) starts[i] = i;
        for (var i = 0; i < parts; i++) pair[i] = RankOf(ranks, piece, starts, i, parts);
        while (true)
        {
            var best = 0;
            for (var i = 1; i < parts - 1; i++) best = pair[i] < pair[best] ? i : best;
            if (pair[best] == None) break;
            starts[(best + 2)..(parts + 1)].CopyTo(starts[(best + 1)..]);
            pair[(best + 1)..parts].CopyTo(pair[best..]);
            parts--;
            pair[best] = RankOf(ranks, piece, starts, best, parts);
            if (best > 0) pair[best - 1] = RankOf(ranks, piece, starts, best - 1, parts);
        }

        for (var i = 0; i < parts && ids is not null; i++) ids.Add(ranks.Find(piece[starts[i]..starts[i + 1]]));
        return parts;
    }

    private static int RankOf(RankTable ranks, ReadOnlySpan<byte> piece, ReadOnlySpan<int> starts, int part, int parts)
    {
        if (part + 1 >= parts) return None;
        var rank = ranks.Find(piece[starts[part]..starts[part + 2]]);
        return rank < 0 ? None : rank;
    }

    private readonly ref struct Heap
    {
        private readonly RankTable _ranks;
        private readonly ReadOnlySpan<byte> _piece;

        /// <summary>By first byte of a part: where the next part begins, and where the one before did.</summary>
        private readonly int[] _next;
        private readonly int[] _before;

        /// <summary>By first byte of a part: the rank of it and the next together; an entry of the queue that differs is stale.</summary>
        private readonly int[] _pair;

        /// <summary>Rank and place of each pair in one number, so that the least is the lowest rank and the leftmost of equals.</summary>
        private readonly LeastFirst _queue;

        public Heap(RankTable ranks, ReadOnlySpan<byte> piece)
        {
            _ranks = ranks;
            _piece = piece;
            _next = ArrayPool<int>.Shared.Rent(piece.Length);
            _before = ArrayPool<int>.Shared.Rent(piece.Length);
            _pair = ArrayPool<int>.Shared.Rent(piece.Length);
            // Each byte is rated once, and each merge rates two pairs anew.
            _queue = new LeastFirst(3 * piece.Length);
        }

        public int Merge(List<int>? ids)
        {
            for (var i = 0; i < _piece.Length; i++)
            {
                _next[i] = i + 1;
                _before[i] = i - 1;
            }

            for (var i = 0; i < _piece.Length; i++) Rate(i);
            var parts = _piece.Length;
            while (_queue.TryTake(out var least))
            {
                var at = (int)(uint)least;
                if (_pair[at] != (int)(least >> 32)) continue;
                Join(at);
                parts--;
            }

            for (var i = 0; i < _piece.Length && ids is not null; i = _next[i]) ids.Add(_ranks.Find(_piece[i.._next[i]]));
            _queue.Return();
            ArrayPool<int>.Shared.Return(_next);
            ArrayPool<int>.Shared.Return(_before);
            ArrayPool<int>.Shared.Return(_pair);
            return parts;
        }

        private void Join(int at)
        {
            var gone = _next[at];
            _next[at] = _next[gone];
            _pair[gone] = None;
            if (_next[at] < _piece.Length) _before[_next[at]] = at;
            Rate(at);
            if (_before[at] >= 0) Rate(_before[at]);
        }

        private void Rate(int at)
        {
            var second = _next[at];
            var rank = second < _piece.Length ? _ranks.Find(_piece[at.._next[second]]) : -1;
            _pair[at] = rank < 0 ? None : rank;
            if (rank >= 0) _queue.Add(((long)rank << 32) | (uint)at);
        }
    }

    /// <summary>A binary heap of numbers in a rented array: half the memory of the framework's queue, which keeps element and priority apart.</summary>
    private sealed class LeastFirst(int capacity)
    {
        private readonly long[] _heap = ArrayPool<long>.Shared.Rent(capacity);
        private int _count;

        public void Add(long value)
        {
            var heap = _heap;
            var at = _count++;
            for (var parent = (at - 1) >> 1; at > 0 && heap[parent] > value; parent = (at - 1) >> 1)
            {
                heap[at] = heap[parent];
                at = parent;
            }

            heap[at] = value;
        }

        public bool TryTake(out long least)
        {
            least = 0;
            if (_count == 0) return false;
            var heap = _heap.AsSpan(0, _count);
            least = heap[0];
            var moved = heap[--_count];
            var at = 0;
            for (var child = 1; child < _count; child = (2 * at) + 1)
            {
                if (child + 1 < _count && heap[child + 1] < heap[child]) child++;
                if (moved <= heap[child]) break;
                heap[at] = heap[child];
                at = child;
            }

            heap[at] = moved;
            return true;
        }

        public void Return() => ArrayPool<long>.Shared.Return(_heap);
    }
}
