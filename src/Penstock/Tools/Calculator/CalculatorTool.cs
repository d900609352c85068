using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Tools.Calculator;

/// <summary><c>calculator</c>: what an expression comes to. An expression without a value is a result that says why.</summary>
internal sealed class CalculatorTool : ITool
{
    public ToolSpec Spec { get; } = new()
    {
        Name = "calculator",
        Description = "Works out an arithmetic expression: + - * / % ^, brackets, and " + Functions.Known + ", pi, e. Exact to 28 digits where it can be; 'exact' says so.",
        Effect = ToolEffect.Pure,
        Timeout = TimeSpan.FromSeconds(5),
        Input = JsonSchema.Parse("""
            {
              "type": "object",
              "properties": {
                "expression": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "Such as (1 + 2) * x ^ 2"},
                "variables": {"type": "object", "maxProperties": 100, "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$"}, "additionalProperties": {"type": "number"}, "description": "Numbers by name"}
              },
              "required": ["expression"],
              "additionalProperties": false
            }
            """),
        Output = JsonSchema.Parse("""
            {
              "type": "object",
              "properties": {
                "text": {"type": "string", "description": "The value, or what is wrong"},
                "value": {"type": "number"},
                "exact": {"type": "boolean", "description": "Nothing was rounded"},
                "error": {
                  "type": "object",
                  "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "position": {"type": "integer", "description": "Characters before the place"}},
                  "required": ["code", "message"],
                  "additionalProperties": false
                }
              },
              "required": ["text"],
              "oneOf": [{"required": ["value", "exact"]}, {"required": ["error"]}],
              "additionalProperties": false
            }
            """),
    };

    public Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
    {
        var variables = call.Arguments.Optional("variables") is { } given ? given.Members().ToDictionary(pair => pair.Name, pair => Read(pair.Value), StringComparer.Ordinal) : [];
        return Task.FromResult(new ToolResult(Work(call.Arguments.Required("expression").Text(), variables)));
    }

    private static JsonElement Work(string expression, Dictionary<string, Figure> variables)
    {
        try
        {
            var value = Expression.Evaluate(expression, variables);
            return JsonOutput.Of(json =>
            {
                var text = value.ToString();
                json.WriteString("text", text);
                json.WritePropertyName("value");
                json.WriteRawValue(text);
                json.WriteBoolean("exact", value.Exact);
            });
        }
        catch (CalculationException e)
        {
            return JsonOutput.Of(json =>
            {
                json.WriteString("text", e.Message);
                json.WriteStartObject("error");
                json.WriteString("code", e.Code);
                json.WriteString("message", e.Message);
                if (e.Position is { } position) json.WriteNumber("position", position);
                json.WriteEndObject();
            });
        }
    }

    private static Figure Read(JsonView number) => number.Element.TryGetDecimal(out var exact) ? new Figure(exact) : Figure.Of(number.Element.GetDouble());
}
