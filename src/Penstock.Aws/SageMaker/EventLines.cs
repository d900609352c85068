using System.Buffers;
using Penstock.Providers.Http;

namespace Penstock.Aws.SageMaker;

/// <summary>Server-sent events out of pieces that end anywhere. Only <c>data</c> is heard: nothing else is said in OpenAI's dialect. Holds one event at most, to a limit.</summary>
internal sealed class EventLines
{
    private const int MostBytes = 24 * 1024 * 1024;

    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly ArrayBufferWriter<byte> _data = new();

    /// <summary>The events that <paramref name="piece"/> completes. Throws <see cref="InvalidDataException"/> for one that is too long.</summary>
    public List<UpstreamEvent> Read(ReadOnlySpan<byte> piece)
    {
        var events = new List<UpstreamEvent>();
        while (piece.IndexOf((byte)'\n') is var end and >= 0)
        {
            _line.Write(piece[..end]);
            piece = piece[(end + 1)..];
            End(events);
        }

        _line.Write(piece);
        return _line.WrittenCount + _data.WrittenCount <= MostBytes ? events : throw new InvalidDataException("an event without end");
    }

    private void End(List<UpstreamEvent> events)
    {
        var line = _line.WrittenSpan.TrimEnd((byte)'\r');
        if (line.IsEmpty && _data.WrittenCount > 0)
        {
            events.Add(new UpstreamEvent("message", _data.WrittenSpan.ToArray()));
            _data.ResetWrittenCount();
        }
        else if (line.StartsWith("data:"u8))
        {
            if (_data.WrittenCount > 0) _data.Write("\n"u8);
            _data.Write(line["data:"u8.Length..].TrimStart((byte)' '));
        }

        _line.ResetWrittenCount();
    }
}
