using System.Buffers;
using System.Text;

namespace Penstock.Agents.Socket;

/// <summary>Takes the data of server-sent events out of bytes that come in any pieces.</summary>
internal sealed class SocketEvents(Func<string, Task> take)
{
    private readonly ArrayBufferWriter<byte> _line = new();

    public async Task AddAsync(ReadOnlyMemory<byte> bytes)
    {
        for (var rest = bytes; !rest.IsEmpty;)
        {
            var end = rest.Span.IndexOf((byte)'\n');
            _line.Write((end < 0 ? rest : rest[..end]).Span);
            if (end < 0) return;
            rest = rest[(end + 1)..];
            var data = DataOf(_line.WrittenSpan);
            _line.ResetWrittenCount();
            if (data is not null) await take(data);
        }
    }

    private static string? DataOf(ReadOnlySpan<byte> line) => line.StartsWith("data: "u8) ? Encoding.UTF8.GetString(line[6..]) : null;
}
