using System.Text;
using Amazon.Runtime.EventStreams;
using Penstock.Aws.EventStreams;
using Xunit;

namespace Penstock.Aws.Tests.Bedrock;

/// <summary>Our decoder against what AWS's own library encodes.</summary>
public sealed class EventStreamTests
{
    private static readonly byte[] Stream =
    [
        .. Made("event", ":event-type", "contentBlockDelta", """{"delta":{"text":"one"}}"""),
        .. Made("exception", ":exception-type", "throttlingException", """{"message":"slow down"}"""),
        .. Made("event", ":event-type", "metadata", ""),
    ];

    [Fact]
    public void Messages_come_out_whole_wherever_their_bytes_are_cut()
    {
        for (var cut = 0; cut <= Stream.Length; cut++)
        {
            var decoder = new EventStreamDecoder();
            EventFrame[] frames = [.. decoder.Read(Stream.AsMemory(0, cut)), .. decoder.Read(Stream.AsMemory(cut))];
            AssertAll(frames);
            Assert.False(decoder.Within);
        }
    }

    [Fact]
    public void Messages_come_out_whole_byte_by_byte()
    {
        var decoder = new EventStreamDecoder();
        AssertAll([.. Enumerable.Range(0, Stream.Length).SelectMany(i => decoder.Read(Stream.AsMemory(i, 1)).ToArray())]);
    }

    [Fact]
    public void A_bit_that_flipped_anywhere_is_found()
    {
        var first = Made("event", ":event-type", "contentBlockDelta", """{"delta":{"text":"one"}}""");
        for (var bit = 0; bit < first.Length * 8; bit++)
        {
            var broken = (byte[])first.Clone();
            broken[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<InvalidDataException>(() => new EventStreamDecoder().Read(broken).ToArray());
        }
    }

    [Fact]
    public void A_stream_that_ends_within_a_message_gives_none_of_it()
    {
        var decoder = new EventStreamDecoder();
        Assert.Equal(2, decoder.Read(Stream.AsMemory(0, Stream.Length - 1)).Count());
        Assert.True(decoder.Within);
    }

    [Fact]
    public void A_length_beyond_measure_is_refused_before_anything_is_held_for_it()
    {
        byte[] prelude = [0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
        var sum = Crc32.Of(prelude);
        byte[] bytes = [.. prelude, (byte)(sum >> 24), (byte)(sum >> 16), (byte)(sum >> 8), (byte)sum];
        Assert.Throws<InvalidDataException>(() => new EventStreamDecoder().Read(bytes).ToArray());
    }

    [Fact]
    public void The_sum_is_that_of_the_standard() => Assert.Equal(0xCBF43926, Crc32.Of("123456789"u8));

    private static void AssertAll(EventFrame[] frames)
    {
        Assert.Equal(["event contentBlockDelta", "exception throttlingException", "event metadata"], frames.Select(frame => $"{frame.MessageType} {frame.Name}"));
        Assert.Equal(["""{"delta":{"text":"one"}}""", """{"message":"slow down"}""", ""], frames.Select(frame => Encoding.UTF8.GetString(frame.Payload.Span)));
    }

    private static byte[] Made(string type, string nameHeader, string name, string payload)
    {
        var (of, what, number, when) = (new EventStreamHeader(":message-type"), new EventStreamHeader(nameHeader), new EventStreamHeader("number"), new EventStreamHeader("when"));
        of.SetString(type);
        what.SetString(name);
        // Kinds of headers that nothing here reads are passed over.
        number.SetInt64(7);
        when.SetByteBuf([1, 2, 3]);
        return new EventStreamMessage([number, of, when, what], Encoding.UTF8.GetBytes(payload)).ToByteArray();
    }
}
