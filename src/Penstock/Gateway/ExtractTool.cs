using System.Buffers;
using System.Text;
using System.Text.Json;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Gateway;

/// <summary><c>extract</c>: fields of a text as JSON, those that are named or those of a JSON Schema. What the model answers is held against the schema.</summary>
internal sealed class ExtractTool(ChatPipeline pipeline) : TaskTool(pipeline)
{
    private const string Name = "data";

    public override ToolSpec Spec { get; } = Of("extract", "Extracts data from a text as JSON: named fields, or whatever a JSON Schema describes.", """
        {
          "type": "object",
          "properties": {
            "text": {"type": "string", "minLength": 1},
            "fields": {"type": "array", "minItems": 1, "maxItems": 100, "uniqueItems": true, "items": {"type": "string", "minLength": 1, "maxLength": 64}, "description": "Names of what to extract; each is a text, or null where the text does not say it"},
            "schema": {"type": "object", "properties": {"type": {"const": "object"}}, "required": ["type"], "description": "A JSON Schema, in the place of fields"},
            "model": {"type": "string", "minLength": 1, "description": "Model, alias or tier; fast where absent"}
          },
          "required": ["text"],
          "oneOf": [{"required": ["fields"]}, {"required": ["schema"]}],
          "additionalProperties": false
        }
        """, """
        {
          "type": "object",
          "properties": {"text": {"type": "string", "description": "The data as JSON text"}, "data": {"type": "object"}},
          "required": ["text", "data"],
          "additionalProperties": false
        }
        """);

    protected override ChatCall Ask(JsonView arguments) =>
        Ask(arguments, "Extract the fields of the schema from the text that the user sends. Take every value from the text; a field that it does not say is null where it may be.", new ResponseFormat(Name, SchemaOf(arguments).ToString()));

    protected override JsonElement Read(JsonView arguments, FoldedChoice answer, Target target)
    {
        var data = ReadObject(answer, target);
        if (SchemaOf(arguments).Check(data.Element) is { } problem) throw Unfit(target, $"answered with data that do not fit the schema: {problem}");
        return JsonOutput.Of(json =>
        {
            json.WriteString("text", data.Raw());
            json.WritePropertyName("data");
            data.Element.WriteTo(json);
        });
    }

    private static JsonSchema SchemaOf(JsonView arguments)
    {
        if (arguments.Optional("schema") is { } schema) return JsonSchema.Declare(schema);
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("type", "object");
            json.WriteStartObject("properties");
            var names = arguments.Required("fields").Items().Select(field => field.Text()).ToArray();
            foreach (var name in names)
            {
                json.WriteStartObject(name);
                WriteList(json, "type", ["string", "null"]);
                json.WriteEndObject();
            }

            json.WriteEndObject();
            WriteList(json, "required", names);
            json.WriteBoolean("additionalProperties", false);
            json.WriteEndObject();
        }

        return JsonSchema.Parse(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    private static void WriteList(Utf8JsonWriter json, string name, IReadOnlyList<string> items)
    {
        json.WriteStartArray(name);
        foreach (var item in items) json.WriteStringValue(item);
        json.WriteEndArray();
    }
}
