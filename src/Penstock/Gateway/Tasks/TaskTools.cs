using System.Text.Json;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Gateway.Tasks;

/// <summary>The tasks that are tools. Each puts its text into <c>text</c>, so that it can be another's argument.</summary>
internal static class TaskTools
{
    public static ITool Summarize(TaskCalls tasks)
    {
        var spec = TaskTool.Of("summarize", "Summarizes a text in a few sentences.", """
            {
              "type": "object",
              "properties": {
                "text": {"type": "string", "minLength": 1},
                "sentences": {"type": "integer", "minimum": 1, "maximum": 20, "description": "3 where absent"},
                "model": {"type": "string", "minLength": 1, "description": "Model, alias or tier; the template's where absent"},
                "template": {"type": "string", "minLength": 1, "description": "A prompt template for summaries; the shipped one where absent"}
              },
              "required": ["text"],
              "additionalProperties": false
            }
            """, """
            {
              "type": "object",
              "properties": {"text": {"type": "string", "description": "The summary"}, "truncated": {"type": "boolean"}},
              "required": ["text", "truncated"],
              "additionalProperties": false
            }
            """);
        return new TaskTool(tasks, new SummariseTask(), spec, _ => answer => JsonOutput.Of(json =>
        {
            json.WriteString("text", answer.Required("summary").Text());
            json.WriteBoolean("truncated", answer.Required("truncated").Flag());
        }));
    }

    public static ITool Extract(TaskCalls tasks)
    {
        var spec = TaskTool.Of("extract", "Extracts data from a text as JSON: named fields, or whatever a JSON Schema describes.", """
            {
              "type": "object",
              "properties": {
                "text": {"type": "string", "minLength": 1},
                "fields": {"type": "array", "minItems": 1, "maxItems": 100, "uniqueItems": true, "items": {"type": "string", "minLength": 1, "maxLength": 64}, "description": "Names of what to extract; each is a text, or null where the text does not say it"},
                "schema": {"type": "object", "properties": {"type": {"const": "object"}}, "required": ["type"], "description": "A JSON Schema, in the place of fields"},
                "model": {"type": "string", "minLength": 1, "description": "Model, alias or tier; the template's where absent"},
                "template": {"type": "string", "minLength": 1, "description": "A prompt template for extraction; the shipped one where absent"}
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
        return new TaskTool(tasks, new ExtractTask(), spec, arguments =>
        {
            // What cannot be checked is refused before anybody is paid for it.
            var schema = arguments.Optional("schema") is { } given ? JsonSchema.Declare(given) : null;
            return answer => Data(answer.Required("data"), schema, spec);
        });
    }

    public static ITool Classify(TaskCalls tasks)
    {
        var spec = TaskTool.Of("classify", "Chooses among labels for a text: the one that fits best, or with 'multiple' all that fit.", """
            {
              "type": "object",
              "properties": {
                "text": {"type": "string", "minLength": 1},
                "labels": {"type": "array", "minItems": 2, "maxItems": 100, "uniqueItems": true, "items": {"type": "string", "minLength": 1, "maxLength": 200}},
                "multiple": {"type": "boolean"},
                "model": {"type": "string", "minLength": 1, "description": "Model, alias or tier; the template's where absent"},
                "template": {"type": "string", "minLength": 1, "description": "A prompt template for classification; the shipped one where absent"}
              },
              "required": ["text", "labels"],
              "additionalProperties": false
            }
            """, """
            {
              "type": "object",
              "properties": {"text": {"type": "string", "description": "The labels, with commas between them"}, "labels": {"type": "array", "items": {"type": "string"}}},
              "required": ["text", "labels"],
              "additionalProperties": false
            }
            """);
        return new TaskTool(tasks, new ClassifyTask(), spec, _ => answer => Labels(answer.Optional("label") is { } one ? [one.Text()] : [.. answer.Required("labels").Items().Select(label => label.Text())]));
    }

    private static JsonElement Data(JsonView data, JsonSchema? schema, ToolSpec spec)
    {
        if (schema?.Check(data.Element) is { } problem) throw ToolRefusals.Unfit(spec, problem.ToString());
        return JsonOutput.Of(json =>
        {
            json.WriteString("text", data.Raw());
            json.WritePropertyName("data");
            data.Element.WriteTo(json);
        });
    }

    private static JsonElement Labels(IReadOnlyList<string> labels) => JsonOutput.Of(json =>
    {
        json.WriteString("text", string.Join(", ", labels));
        json.WriteStartArray("labels");
        foreach (var label in labels) json.WriteStringValue(label);
        json.WriteEndArray();
    });
}
