using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Penstock.Gateway;

/// <summary>JSON Schemas of answers that are one object with one member.</summary>
internal static class TaskSchema
{
    /// <summary>The member that labels stand in.</summary>
    public static string Field(bool multiple) => multiple ? "labels" : "label";

    /// <param name="choices">What a text must be one of; null for any.</param>
    /// <param name="array">Several texts instead of one.</param>
    public static string Of(string field, IReadOnlyList<string>? choices, bool array)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("type", "object");
            json.WriteStartObject("properties");
            json.WriteStartObject(field);
            if (array)
            {
                json.WriteString("type", "array");
                json.WriteStartObject("items");
            }

            json.WriteString("type", "string");
            if (choices is not null) WriteArray(json, "enum", choices);
            if (array) json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndObject();
            WriteArray(json, "required", [field]);
            json.WriteBoolean("additionalProperties", false);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static void WriteArray(Utf8JsonWriter json, string name, IReadOnlyList<string> items)
    {
        json.WriteStartArray(name);
        foreach (var item in items) json.WriteStringValue(item);
        json.WriteEndArray();
    }
}
