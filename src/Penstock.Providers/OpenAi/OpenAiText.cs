using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Penstock.Providers.OpenAi;

/// <summary>Reads what a provider sent without being thrown off by it.</summary>
internal static class OpenAiText
{
    public static JsonElement? Member(JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>Null where the member is absent or no string.</summary>
    public static string? String(JsonElement owner, string name) =>
        Member(owner, name) is { ValueKind: JsonValueKind.String } value ? Of(value) : null;

    public static int? Index(JsonElement owner, string name) =>
        Member(owner, name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var index) && index >= 0 ? index : null;

    /// <summary>Bytes that are no text, and halves of surrogate pairs (a model may write one in each of two chunks), read as U+FFFD.</summary>
    public static string Of(JsonElement text)
    {
        try
        {
            return text.GetString()!;
        }
        catch (InvalidOperationException)
        {
            var raw = Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8Value(text));
            using var mended = JsonDocument.Parse(Mend(raw));
            return mended.RootElement.GetString()!;
        }
    }

    private static string Mend(string raw)
    {
        var mended = new StringBuilder(raw.Length);
        for (var i = 0; i < raw.Length; i++)
        {
            var length = raw[i] != '\\' ? 1 : raw[i + 1] != 'u' ? 2 : 6;
            var unit = length == 6 ? UnitAt(raw, i) : '\0';
            var paired = char.IsHighSurrogate(unit) && i + 12 <= raw.Length && raw[i + 6] == '\\' && raw[i + 7] == 'u' && char.IsLowSurrogate(UnitAt(raw, i + 6));
            if (paired) length = 12;
            if (char.IsSurrogate(unit) && !paired) mended.Append("\\uFFFD");
            else mended.Append(raw, i, length);
            i += length - 1;
        }

        return mended.ToString();
    }

    private static char UnitAt(string raw, int escape) => (char)ushort.Parse(raw.AsSpan(escape + 2, 4), System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture);
}
