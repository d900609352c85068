using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Penstock.Gateway.Guarding;

/// <summary>Changes of single values in a JSON text; every other byte stays as it was.</summary>
/// <param name="data">What the elements' document was parsed from.</param>
internal sealed class JsonEdits(ReadOnlyMemory<byte> data)
{
    private readonly List<(int Start, int Length, string With)> _edits = [];

    /// <summary>The value's text; half of a surrogate pair is kept as it is.</summary>
    public static string TextOf(JsonElement text)
    {
        var raw = JsonMarshal.GetRawUtf8Value(text)[1..^1];
        var written = Encoding.UTF8.GetString(raw);
        return raw.Contains((byte)'\\') ? Unescape(written) : written;
    }

    public static string Quote(string text) => $"\"{JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(text)}\"";

    /// <param name="with">JSON.</param>
    public void Replace(JsonElement element, string with)
    {
        var raw = JsonMarshal.GetRawUtf8Value(element);
        var start = (int)Unsafe.ByteOffset(ref MemoryMarshal.GetReference(data.Span), ref MemoryMarshal.GetReference(raw));
        _edits.Add((start, raw.Length, with));
    }

    public ReadOnlyMemory<byte> Apply()
    {
        if (_edits.Count == 0) return data;
        var output = new ArrayBufferWriter<byte>(data.Length + 64);
        var from = 0;
        foreach (var (start, length, with) in _edits.OrderBy(edit => edit.Start))
        {
            output.Write(data.Span[from..start]);
            Encoding.UTF8.GetBytes(with, output);
            from = start + length;
        }

        output.Write(data.Span[from..]);
        return output.WrittenMemory;
    }

    private static string Unescape(string written)
    {
        var text = new StringBuilder(written.Length);
        for (var i = 0; i < written.Length; i++)
        {
            if (written[i] != '\\')
            {
                text.Append(written[i]);
                continue;
            }

            var kind = written[++i];
            text.Append(kind switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'b' => '\b', 'f' => '\f', 'u' => Code(written, i + 1), _ => kind });
            if (kind == 'u') i += 4;
        }

        return text.ToString();
    }

    private static char Code(string written, int at) => (char)ushort.Parse(written.AsSpan(at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
