using System.Buffers;
using System.Text.Json;

namespace Penstock.Kernel;

/// <summary>
/// Replaces, adds or removes top-level members of a JSON object and leaves every other byte as it was,
/// so that fields we do not know reach the provider untouched.
/// </summary>
public static class JsonSplice
{
    /// <param name="edits">Member name → its new value as JSON; <c>null</c> removes the member.</param>
    public static byte[] Apply(ReadOnlySpan<byte> body, IReadOnlyList<KeyValuePair<string, string?>> edits)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 64 });
        reader.Read();
        var output = new ArrayBufferWriter<byte>(body.Length + 128);
        output.Write("{"u8);
        var first = true;
        Span<bool> done = stackalloc bool[edits.Count];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var nameStart = (int)reader.TokenStartIndex;
            var edit = Find(ref reader, edits);
            reader.Read();
            var valueStart = (int)reader.TokenStartIndex;
            reader.Skip();
            var end = (int)reader.BytesConsumed;
            if (edit >= 0) done[edit] = true;
            if (edit >= 0 && edits[edit].Value is null) continue;

            if (!first) output.Write(","u8);
            first = false;
            if (edit < 0)
            {
                output.Write(body[nameStart..end]);
                continue;
            }

            output.Write(body[nameStart..valueStart]);
            WriteText(output, edits[edit].Value!);
        }

        for (var i = 0; i < edits.Count; i++)
        {
            if (done[i] || edits[i].Value is not { } value) continue;
            if (!first) output.Write(","u8);
            first = false;
            WriteText(output, $"\"{JsonEncodedText.Encode(edits[i].Key)}\":{value}");
        }

        output.Write("}"u8);
        return output.WrittenSpan.ToArray();
    }

    private static int Find(ref Utf8JsonReader reader, IReadOnlyList<KeyValuePair<string, string?>> edits)
    {
        for (var i = 0; i < edits.Count; i++)
        {
            if (reader.ValueTextEquals(edits[i].Key)) return i;
        }

        return -1;
    }

    private static void WriteText(ArrayBufferWriter<byte> output, string text)
    {
        var span = output.GetSpan(System.Text.Encoding.UTF8.GetMaxByteCount(text.Length));
        output.Advance(System.Text.Encoding.UTF8.GetBytes(text, span));
    }
}
