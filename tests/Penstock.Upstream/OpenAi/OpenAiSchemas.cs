using System.Text.Json;
using System.Text.RegularExpressions;

namespace Penstock.Upstream.OpenAi;

/// <summary>Checks tool definitions and answer formats; strict schemas by the rules of structured outputs.</summary>
internal static partial class OpenAiSchemas
{
    public static AskTool ReadTool(Field tool)
    {
        tool.Only("type", "function").Required("type").OneOf("function");
        var function = tool.Required("function").Only("name", "description", "parameters", "strict");
        var name = CheckName(function.Required("name"));
        function.Optional("description")?.Text();
        var strict = function.Optional("strict")?.Flag() ?? false;
        if (function.Optional("parameters") is not { } parameters) return new AskTool(name, null);

        var schema = parameters.Object().Value;
        var type = schema.TryGetProperty("type", out var given) ? given.ToString() : schema.EnumerateObject().Any() ? "None" : "object";
        if (type != "object")
            throw OpenAiWording.Refuse($"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{type}\"'.", parameters.Path, "invalid_function_parameters");
        if (schema.TryGetProperty("properties", out var properties) && properties.ValueKind != JsonValueKind.Object)
            throw OpenAiWording.Refuse($"Invalid schema for function '{name}': {properties.GetRawText()} is not of type 'object'.", parameters.Path, "invalid_function_parameters");
        if (strict) CheckStrict(schema, $"function '{name}'", parameters.Path, "invalid_function_parameters", "");
        return new AskTool(name, properties.ValueKind == JsonValueKind.Object && properties.EnumerateObject().Any() ? schema.Clone() : null);
    }

    public static string CheckName(Field name)
    {
        var text = name.Text();
        if (text.Length > 64) throw OpenAiWording.Refuse($"Invalid '{name.Path}': string too long. Expected a string with maximum length 64, but got a string with length {text.Length} instead.", name.Path, "string_above_max_length");
        return NamePattern().IsMatch(text)
            ? text
            : throw OpenAiWording.Refuse($"Invalid '{name.Path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.", name.Path, "invalid_value");
    }

    public static JsonElement? ReadFormat(Field format)
    {
        format.Only("name", "description", "schema", "strict");
        var name = CheckName(format.Required("name"));
        var strict = format.Optional("strict")?.Flag() ?? false;
        var path = format.Path;
        if (format.Optional("schema") is not { } schema)
            return strict ? throw OpenAiWording.Refuse($"Missing required parameter: '{path}.schema'.", $"{path}.schema", "missing_required_parameter") : null;
        schema.Object();
        if (strict && (!schema.Value.TryGetProperty("type", out var type) || type.ToString() != "object"))
            throw OpenAiWording.Refuse($"Invalid schema for response_format '{name}': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{type}\"'.", "response_format");
        if (strict) CheckStrict(schema.Value, $"response_format '{name}'", "response_format", null, "");
        return schema.Value.Clone();
    }

    /// <summary>Strict objects close themselves and require all they have.</summary>
    private static void CheckStrict(JsonElement schema, string subject, string param, string? code, string context)
    {
        if (schema.ValueKind != JsonValueKind.Object) return;
        if (schema.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("object"))
        {
            if (!schema.TryGetProperty("additionalProperties", out var more) || more.ValueKind != JsonValueKind.False)
                throw OpenAiWording.Refuse($"Invalid schema for {subject}: In context=({context}), 'additionalProperties' is required to be supplied and to be false.", param, code);
            var required = schema.TryGetProperty("required", out var names) ? names.EnumerateArray().Select(entry => entry.GetString()).ToHashSet() : [];
            foreach (var property in schema.TryGetProperty("properties", out var properties) ? properties.EnumerateObject().ToArray() : [])
            {
                if (!required.Contains(property.Name))
                    throw OpenAiWording.Refuse($"Invalid schema for {subject}: In context=({context}), 'required' is required to be supplied and to be an array including every key in properties. Missing '{property.Name}'.", param, code);
                CheckStrict(property.Value, subject, param, code, Inside(context, "properties", property.Name));
            }
        }

        if (schema.TryGetProperty("items", out var items)) CheckStrict(items, subject, param, code, Inside(context, "items"));
        foreach (var definition in schema.TryGetProperty("$defs", out var definitions) ? definitions.EnumerateObject().ToArray() : [])
            CheckStrict(definition.Value, subject, param, code, Inside(context, "$defs", definition.Name));
    }

    private static string Inside(string context, params ReadOnlySpan<string> names) => string.Join(", ", [.. context.Length == 0 ? [] : new[] { context }, .. names.ToArray().Select(name => $"'{name}'")]);

    [GeneratedRegex("^[a-zA-Z0-9_-]+$")]
    private static partial Regex NamePattern();
}
