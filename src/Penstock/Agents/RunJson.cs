using System.Buffers;
using System.Text;
using System.Text.Json;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>JSON as it stands in journals and inboxes: one object, on one line.</summary>
internal static class RunJson
{
    public static string Of(Action<Utf8JsonWriter> members)
    {
        var text = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(text, Json.Options))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    /// <summary>Throws 400 where it holds what is valid JSON but no text: nobody could read it later.</summary>
    public static string Compact(JsonView value)
    {
        var text = new ArrayBufferWriter<byte>(256);
        try
        {
            using var json = new Utf8JsonWriter(text, Json.Options);
            value.Element.WriteTo(json);
        }
        catch (InvalidOperationException)
        {
            throw value.Bad("holds half of a surrogate pair, which is no text");
        }

        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    /// <summary>A value that stands in a body of ours already.</summary>
    public static void WriteRaw(Utf8JsonWriter json, string name, string value)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(value, skipInputValidation: true);
    }

    public static void WriteOptional(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null) json.WriteString(name, value);
    }

    public static void WriteOptional(Utf8JsonWriter json, string name, DateTimeOffset? value)
    {
        if (value is { } at) json.WriteString(name, at);
    }

    /// <summary>Null where the member is absent or no text.</summary>
    public static string? TextOf(JsonElement body, string name) => body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public static long NumberOf(JsonElement body, string name) => body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : 0;

    public static Money MoneyOf(JsonElement body, string name) => body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var usd) ? Money.FromUsd(usd) : Money.Zero;

    public static bool FlagOf(JsonElement body, string name) => body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    public static DateTimeOffset? TimeOf(JsonElement body, string name) => body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.TryGetDateTimeOffset(out var at) ? at : null;
}

/// <summary>A value of a journal as people see it: JSON, or the beginning of a text that is too long to be shown whole.</summary>
internal readonly record struct Shown(string Text, bool IsJson)
{
    /// <summary>Characters; what is longer is cut.</summary>
    public const int Longest = 2_000;

    /// <summary>Null where the member is absent. A text that is JSON itself, as arguments and outputs are journaled, is shown as what it says.</summary>
    public static Shown? Of(JsonElement body, string name)
    {
        if (!body.TryGetProperty(name, out var value)) return null;
        var (text, raw) = (value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText(), value.GetRawText());
        if (text.Length > Longest) return new Shown(Cut(text), IsJson: false);
        return new Shown(value.ValueKind == JsonValueKind.String && !SaysJson(text) ? raw : text, IsJson: true);
    }

    /// <summary>Never between the halves of a surrogate pair.</summary>
    public static string Cut(string text) => text.Length <= Longest ? text : text[..(char.IsHighSurrogate(text[Longest - 1]) ? Longest - 1 : Longest)] + "…";

    private static bool SaysJson(string text)
    {
        if (text.Length == 0 || text[0] is not ('{' or '[')) return false;
        try
        {
            JsonDocument.Parse(text).Dispose();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
