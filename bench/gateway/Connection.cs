using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Penstock.Bench.Gateway;

/// <summary>One kept connection, written to and read from on the thread that asks: nothing but system calls lies between its clock and the contender.</summary>
internal sealed class Connection : IDisposable
{
    private static readonly byte[] LastChunk = "0\r\n\r\n"u8.ToArray();

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 30_000, SendTimeout = 30_000 };
    private readonly byte[] _request;
    private readonly int _number;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _length;

    public Connection(Contender contender, Asked how)
    {
        var (head, tail) = Sample.Request(contender, how);
        _request = Encoding.UTF8.GetBytes(head + new string('0', Sample.Digits) + tail);
        _number = Encoding.UTF8.GetByteCount(head);
        _socket.Connect(IPAddress.Loopback, how == Asked.Whole ? contender.Port : contender.StreamPort);
    }

    /// <summary>Bytes of the answer so far.</summary>
    public ReadOnlySpan<byte> Heard => _buffer.AsSpan(0, _length);

    public void Send(long number)
    {
        number.TryFormat(_request.AsSpan(_number, Sample.Digits), out _, "D12", CultureInfo.InvariantCulture);
        _length = 0;
        if (_socket.Send(_request) != _request.Length) throw new IOException("A request was not sent whole.");
    }

    /// <summary>Reads until a whole answer with a known length is there.</summary>
    public void ReadWhole()
    {
        while (true)
        {
            Read();
            var end = Heard.IndexOf("\r\n\r\n"u8);
            if (end < 0) continue;
            if (!Heard.StartsWith("HTTP/1.1 200"u8)) throw new IOException($"An answer was no 200: {Encoding.UTF8.GetString(Heard)}");
            if (LengthOf(Heard[..end]) is { } length ? _length >= end + 4 + length : Heard.EndsWith(LastChunk)) return;
        }
    }

    /// <summary>Reads a stream until its first word has come.</summary>
    public void ReadFirst() => ReadUntil(Sample.FirstWord);

    /// <summary>Reads the rest of a stream.</summary>
    public void ReadRest()
    {
        while (!Heard.EndsWith(LastChunk)) Read();
        if (Heard.IndexOf(Sample.Last) < 0) throw new IOException($"A stream ended early: {Encoding.UTF8.GetString(Heard)}");
    }

    /// <summary>Reads until <paramref name="text"/> has come.</summary>
    private void ReadUntil(ReadOnlySpan<byte> text)
    {
        do Read();
        while (Heard.IndexOf(text) < 0);
        if (!Heard.StartsWith("HTTP/1.1 200"u8)) throw new IOException($"An answer was no 200: {Encoding.UTF8.GetString(Heard)}");
    }

    public void Dispose() => _socket.Dispose();

    private void Read()
    {
        var read = _socket.Receive(_buffer.AsSpan(_length));
        if (read == 0) throw new IOException($"The connection was closed after: {Encoding.UTF8.GetString(Heard)}");
        _length += read;
    }

    /// <summary>Null where it comes in chunks.</summary>
    private static int? LengthOf(ReadOnlySpan<byte> head)
    {
        foreach (var line in head.Split("\r\n"u8))
        {
            var text = head[line];
            if (text.Length > 15 && Ascii.EqualsIgnoreCase(text[..15], "content-length:"u8)) return int.Parse(text[15..].Trim((byte)' '), CultureInfo.InvariantCulture);
        }

        return null;
    }
}
