using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Penstock.Upstream.Bedrock;

/// <summary>Messages of <c>application/vnd.amazon.eventstream</c>, with both of their sums.</summary>
internal static class EventStream
{
    public const string Type = "application/vnd.amazon.eventstream";

    public static byte[] Event(string name, Action<Utf8JsonWriter> write) => Message("event", ":event-type", name, "application/json", Body(write));

    public static byte[] Bytes(string name, ReadOnlySpan<byte> payload) => Message("event", ":event-type", name, "application/octet-stream", payload);

    public static byte[] Exception(string name, string message) => Message("exception", ":exception-type", name, "application/json", Body(json => json.WriteString("message", message)));

    private static byte[] Body(Action<Utf8JsonWriter> write) => Exchange.Json(json =>
    {
        json.WriteStartObject();
        write(json);
        json.WriteEndObject();
    });

    private static byte[] Message(string type, string nameHeader, string name, string contentType, ReadOnlySpan<byte> payload)
    {
        byte[] headers = [.. Header(nameHeader, name), .. Header(":content-type", contentType), .. Header(":message-type", type)];
        var message = new byte[12 + headers.Length + payload.Length + 4];
        BinaryPrimitives.WriteInt32BigEndian(message, message.Length);
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(4), headers.Length);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(8), Sum(message.AsSpan(0, 8)));
        headers.CopyTo(message.AsSpan(12));
        payload.CopyTo(message.AsSpan(12 + headers.Length));
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(message.Length - 4), Sum(message.AsSpan(0, message.Length - 4)));
        return message;
    }

    private static byte[] Header(string name, string value)
    {
        var length = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)Encoding.UTF8.GetByteCount(value));
        return [(byte)name.Length, .. Encoding.ASCII.GetBytes(name), 7, .. length, .. Encoding.UTF8.GetBytes(value)];
    }

    /// <summary>CRC-32, bit by bit.</summary>
    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        var sum = uint.MaxValue;
        foreach (var each in bytes)
        {
            sum ^= each;
            for (var bit = 0; bit < 8; bit++) sum = (sum >> 1) ^ ((sum & 1) * 0xEDB88320);
        }

        return ~sum;
    }
}
