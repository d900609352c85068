using System.Text;
using System.Text.Json;

namespace Penstock.Upstream;

/// <summary>The smallest JSON that conforms to a schema of the kinds the vendors accept.</summary>
internal static class SchemaSample
{
    private const int Deepest = 16;

    /// <param name="place">Value of a property called <c>city</c>, <c>place</c> or <c>location</c>.</param>
    public static string Of(JsonElement schema, string? place = null) => Write(json => Value(json, schema, schema, "text", place, 0));

    public static string Write(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Exchange.Plain)) write(json);
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Value(Utf8JsonWriter json, JsonElement root, JsonElement schema, string name, string? place, int depth)
    {
        schema = Resolve(root, schema);
        if (schema.ValueKind != JsonValueKind.Object || depth > Deepest) json.WriteNullValue();
        else if (schema.TryGetProperty("const", out var only)) only.WriteTo(json);
        else if (schema.TryGetProperty("enum", out var choices)) choices[0].WriteTo(json);
        else if (schema.TryGetProperty("anyOf", out var any) || schema.TryGetProperty("oneOf", out any)) Value(json, root, any[0], name, place, depth + 1);
        else Typed(json, root, schema, name, place, depth);
    }

    private static void Typed(Utf8JsonWriter json, JsonElement root, JsonElement schema, string name, string? place, int depth)
    {
        switch (TypeOf(schema))
        {
            case "object":
                json.WriteStartObject();
                foreach (var property in Properties(schema))
                {
                    json.WritePropertyName(property.Name);
                    Value(json, root, property.Value, property.Name, place, depth + 1);
                }

                json.WriteEndObject();
                break;
            case "array":
                json.WriteStartArray();
                var least = Math.Max(1, Number(schema, "minItems", 1));
                for (var i = 0; i < least && schema.TryGetProperty("items", out var items); i++) Value(json, root, items, name, place, depth + 1);
                json.WriteEndArray();
                break;
            case "string": json.WriteStringValue(TextOf(schema, name, place)); break;
            case "integer" or "number": json.WriteNumberValue(Math.Max(1, Number(schema, "minimum", 1))); break;
            case "boolean": json.WriteBooleanValue(true); break;
            default: json.WriteNullValue(); break;
        }
    }

    private static IEnumerable<JsonProperty> Properties(JsonElement schema) =>
        schema.TryGetProperty("properties", out var properties) ? properties.EnumerateObject() : Enumerable.Empty<JsonProperty>();

    private static string TypeOf(JsonElement schema) => schema.TryGetProperty("type", out var type)
        ? (type.ValueKind == JsonValueKind.Array ? type[0] : type).GetString() ?? ""
        : schema.TryGetProperty("properties", out _) ? "object" : "string";

    private static string TextOf(JsonElement schema, string name, string? place)
    {
        if (place is not null && name is "city" or "place" or "location") return place;
        var format = schema.TryGetProperty("format", out var given) ? given.GetString() : null;
        var text = format switch
        {
            "date-time" => "2026-01-02T03:04:05Z",
            "date" => "2026-01-02",
            "time" => "03:04:05Z",
            "email" => "a@example.com",
            "uri" => "https://example.com/",
            "uuid" => "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            _ => name,
        };
        return text.PadRight(Number(schema, "minLength", 0), 'x');
    }

    private static int Number(JsonElement schema, string name, int otherwise) =>
        schema.TryGetProperty(name, out var value) && value.TryGetDouble(out var number) ? (int)Math.Ceiling(number) : otherwise;

    /// <summary>Follows <c>#/…</c> references within the schema.</summary>
    private static JsonElement Resolve(JsonElement root, JsonElement schema)
    {
        for (var hops = 0; hops < Deepest && schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("$ref", out var reference); hops++)
        {
            schema = root;
            foreach (var name in reference.GetString()!.TrimStart('#').Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                if (!schema.TryGetProperty(name, out schema)) return default;
            }
        }

        return schema;
    }
}
