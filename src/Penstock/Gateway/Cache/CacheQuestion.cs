using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Penstock.Gateway.Routing;
using Penstock.Kernel;

namespace Penstock.Gateway.Cache;

/// <summary>What was asked, as far as it decides the answer.</summary>
/// <param name="Body">The client's own JSON object.</param>
/// <param name="Ignored">Its members that do not decide the answer, and those that <see cref="KeyFor"/> is told in another way.</param>
internal sealed record CacheQuestion(string Route, ReadOnlyMemory<byte> Body, IReadOnlyList<string> Ignored)
{
    /// <summary>Counts up when the same key would have to mean something else.</summary>
    private const int Version = 1;

    private const string Model = "model";
    private const string Stream = "stream";

    /// <summary>The end user and the conversation are for the books only; Anthropic's metadata holds nothing but the end user.</summary>
    private static readonly string[] OfOpenAi = [Model, Stream, "user"];
    private static readonly string[] OfAnthropic = [Model, Stream, "metadata"];
    private static readonly string[] OfNative = [Model, Stream, "user", "conversation"];

    /// <summary>Whatever else decides the answer: headers that go on to the provider, or what the answer repeats of the request.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Others { get; init; } = [];

    /// <summary>How guard rules treat the answer; null where they do nothing to it. An answer is kept as its readers may see it.</summary>
    public string? AnswersAs { get; init; }

    /// <summary>A template's name leads to another text when its label moves: its whole version is part of what was asked.</summary>
    public static CacheQuestion Of(string route, ChatCall call) => new(route, call.Body, IgnoredBy(call.Dialect))
    {
        Others = call.Template is { } template ? [.. call.PassHeaders, new("template", $"{template.Name}@{template.Hash}")] : call.PassHeaders,
    };

    public static IReadOnlyList<string> IgnoredBy(Dialect dialect) => dialect switch
    {
        Dialect.OpenAi => OfOpenAi,
        Dialect.Anthropic => OfAnthropic,
        _ => OfNative,
    };

    /// <summary>
    /// Equal for two requests only where one answer serves both. Null where the body holds text that is none, which nobody can compare.
    /// The tenant is in it and leads every row of a store too: no answer crosses from one to another.
    /// </summary>
    public CacheKey? KeyFor(TenantId tenant, Target target, int? cap, bool stream, string space)
    {
        var bytes = new ArrayBufferWriter<byte>(Body.Length + 256);
        try
        {
            using var body = JsonDocument.Parse(Body);
            using var json = new Utf8JsonWriter(bytes);
            json.WriteStartArray();
            json.WriteNumberValue(Version);
            foreach (var part in (ReadOnlySpan<string>)[tenant.Value, Route, target.Provider.Name, target.Model, space]) json.WriteStringValue(part);
            json.WriteNumberValue(cap ?? 0);
            json.WriteBooleanValue(stream);
            WriteOthers(json);
            if (AnswersAs is not null) json.WriteStringValue(AnswersAs);
            WriteBody(json, body.RootElement);
            json.WriteEndArray();
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair passes through a provider's dialect unread.
            return null;
        }

        return new CacheKey(Convert.ToHexStringLower(SHA256.HashData(bytes.WrittenSpan)));
    }

    private void WriteOthers(Utf8JsonWriter json)
    {
        json.WriteStartArray();
        foreach (var (name, value) in Others.OrderBy(other => other.Key, StringComparer.Ordinal))
        {
            json.WriteStringValue(name);
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }

    /// <summary>The order of names says nothing in the request itself and in its messages. A schema is read by the model as it stands, and so are a tool's arguments.</summary>
    private void WriteBody(Utf8JsonWriter json, JsonElement body)
    {
        json.WriteStartObject();
        foreach (var member in body.EnumerateObject().Where(member => !Ignored.Contains(member.Name)).OrderBy(member => member.Name, StringComparer.Ordinal))
        {
            json.WritePropertyName(member.Name);
            if (member.Value.ValueKind == JsonValueKind.Number) json.WriteRawValue(Plain(member.Value));
            else Write(json, member.Value, anyOrder: member.Name is "messages" or "system");
        }

        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, JsonElement value, bool anyOrder)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var member in anyOrder ? value.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal) : value.EnumerateObject().AsEnumerable())
                {
                    json.WritePropertyName(member.Name);
                    Write(json, member.Value, anyOrder && member.Name != "input");
                }

                json.WriteEndObject();
                break;
            case JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in value.EnumerateArray()) Write(json, item, anyOrder);
                json.WriteEndArray();
                break;
            case JsonValueKind.String:
                json.WriteStringValue(value.GetString());
                break;
            default:
                json.WriteRawValue(value.GetRawText());
                break;
        }
    }

    /// <summary>One spelling of a parameter's value, where it can be told exactly: <c>1</c> for <c>1.0</c>, <c>0.5</c> for <c>0.50</c>.</summary>
    private static string Plain(JsonElement number)
    {
        const int MostExactDigits = 28;
        var text = number.GetRawText();
        if (text.Length > MostExactDigits || text.AsSpan().ContainsAny('e', 'E') || !number.TryGetDecimal(out var value)) return text;
        // Dividing by one takes the zeros off its end.
        return (value / 1.0000000000000000000000000000m).ToString(CultureInfo.InvariantCulture);
    }
}
