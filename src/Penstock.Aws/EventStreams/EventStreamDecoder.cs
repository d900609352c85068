using System.Buffers.Binary;
using System.Text;

namespace Penstock.Aws.EventStreams;

/// <summary>
/// Takes an event stream apart, whatever pieces it comes in
/// (https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html, the encoding is the same for every service):
/// <code>
/// total length 4 | headers length 4 | CRC of these 8 bytes 4 | headers | payload | CRC of all before it 4
/// </code>
/// Holds one message at most. Throws <see cref="InvalidDataException"/> for whatever breaks the encoding.
/// </summary>
internal sealed class EventStreamDecoder
{
    /// <summary>Largest message, as AWS's own clients take it.</summary>
    public const int MostBytes = 24 * 1024 * 1024;

    private const int MostHeaderBytes = 128 * 1024;
    private const int Prelude = 12;
    private const int Crc = 4;

    private byte[] _held = [];
    private int _length;

    /// <summary>True within a message: a stream may not end here.</summary>
    public bool Within => _length > 0;

    /// <summary>The messages that <paramref name="piece"/> completes. They hold no memory of it.</summary>
    public IEnumerable<EventFrame> Read(ReadOnlyMemory<byte> piece)
    {
        Hold(piece.Span);
        var at = 0;
        while (Whole(at) is { } size)
        {
            yield return Decode(_held.AsSpan(at, size));
            at += size;
        }

        _held.AsSpan(at, _length - at).CopyTo(_held);
        _length -= at;
    }

    private void Hold(ReadOnlySpan<byte> piece)
    {
        if (_held.Length - _length < piece.Length) Array.Resize(ref _held, Math.Max(_length + piece.Length, Math.Min(_held.Length * 2, MostBytes + piece.Length)));
        piece.CopyTo(_held.AsSpan(_length));
        _length += piece.Length;
    }

    /// <summary>The size of the message that begins at <paramref name="at"/>; null while it is not all there. Its prelude is checked before anything is believed of it.</summary>
    private int? Whole(int at)
    {
        var there = _held.AsSpan(at, _length - at);
        if (there.Length < Prelude) return null;
        var (total, headers) = (BinaryPrimitives.ReadUInt32BigEndian(there), BinaryPrimitives.ReadUInt32BigEndian(there[4..]));
        if (BinaryPrimitives.ReadUInt32BigEndian(there[8..]) != Crc32.Of(there[..8])) throw new InvalidDataException("the sum over a message's lengths is wrong");
        if (total is < Prelude + Crc or > MostBytes) throw new InvalidDataException($"a message of {total} bytes");
        if (headers > MostHeaderBytes || headers > total - Prelude - Crc) throw new InvalidDataException($"{headers} bytes of headers in a message of {total}");
        return there.Length < total ? null : (int)total;
    }

    private static EventFrame Decode(ReadOnlySpan<byte> message)
    {
        if (BinaryPrimitives.ReadUInt32BigEndian(message[^Crc..]) != Crc32.Of(message[..^Crc])) throw new InvalidDataException("the sum over a message is wrong");
        var headers = message.Slice(Prelude, (int)BinaryPrimitives.ReadUInt32BigEndian(message[4..]));
        var payload = message[(Prelude + headers.Length)..^Crc].ToArray();
        string? type = null, name = null, said = null;
        while (!headers.IsEmpty)
        {
            var (key, value) = Header(ref headers);
            if (key == ":message-type") type = value;
            else if (key is ":event-type" or ":exception-type" or ":error-code") name = value;
            else if (key == ":error-message") said = value;
        }

        return new EventFrame(type ?? throw new InvalidDataException("a message without a type"), name ?? "", said, payload);
    }

    private static (string Name, string? Value) Header(ref ReadOnlySpan<byte> rest)
    {
        var name = Encoding.UTF8.GetString(Take(ref rest, Take(ref rest, 1)[0]));
        var kind = Take(ref rest, 1)[0];
        var size = kind switch
        {
            0 or 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 or 8 => 8,
            6 or 7 => BinaryPrimitives.ReadUInt16BigEndian(Take(ref rest, 2)),
            9 => 16,
            _ => throw new InvalidDataException($"a header of the unknown kind {kind}"),
        };
        var value = Take(ref rest, size);
        return (name, kind == 7 ? Encoding.UTF8.GetString(value) : null);
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> rest, int length)
    {
        if (rest.Length < length) throw new InvalidDataException("a header that ends early");
        var taken = rest[..length];
        rest = rest[length..];
        return taken;
    }
}
