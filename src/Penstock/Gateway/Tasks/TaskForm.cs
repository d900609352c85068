using System.Buffers;
using System.Text;
using System.Text.Json;
using Penstock.Gateway.Wire;
using Penstock.Kernel;

namespace Penstock.Gateway.Tasks;

/// <summary>Answers that are one JSON object with one member: their schema, and the member read back.</summary>
internal static class TaskForm
{
    private const string OtherForm = "did not answer in the form asked for";

    /// <param name="choices">What a text must be one of; null for any.</param>
    /// <param name="array">Several texts instead of one.</param>
    public static ResponseFormat Texts(string field, IReadOnlyList<string>? choices, bool array) => new(field, Schema(json =>
    {
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
    }, [field]), Strict: true);

    /// <summary>An object with these members and no other.</summary>
    public static string Schema(Action<Utf8JsonWriter> properties, IReadOnlyList<string> required)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("type", "object");
            json.WriteStartObject("properties");
            properties(json);
            json.WriteEndObject();
            WriteArray(json, "required", required);
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

    /// <summary>Reads the answer as one JSON object. What <paramref name="read"/> refuses is the provider's to answer for, not the client's.</summary>
    public static TaskResult Read(FoldedChoice answer, Func<JsonView, TaskResult> read)
    {
        try
        {
            return read(JsonView.Parse(Encoding.UTF8.GetBytes(answer.Text)));
        }
        catch (RefusedException)
        {
            return TaskResult.No(answer.Reason == FinishReason.Length ? "ran out of output tokens before its answer was whole" : OtherForm);
        }
    }
}
