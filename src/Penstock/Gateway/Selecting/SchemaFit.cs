using System.Text.Json;

namespace Penstock.Gateway.Selecting;

/// <summary>Whether a value has the shape a JSON Schema asks for: types, constants, members and items. What else a schema may say is taken to hold.</summary>
internal static class SchemaFit
{
    public static bool Fits(JsonElement value, JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object) return schema.ValueKind != JsonValueKind.False;
        if (schema.TryGetProperty("type", out var type) && !IsOf(value, type)) return false;
        if (schema.TryGetProperty("enum", out var choices) && !choices.EnumerateArray().Any(choice => JsonElement.DeepEquals(choice, value))) return false;
        if (schema.TryGetProperty("const", out var only) && !JsonElement.DeepEquals(only, value)) return false;
        return value.ValueKind switch
        {
            JsonValueKind.Object => MembersFit(value, schema),
            JsonValueKind.Array when schema.TryGetProperty("items", out var items) => value.EnumerateArray().All(item => Fits(item, items)),
            _ => true,
        };
    }

    private static bool MembersFit(JsonElement value, JsonElement schema)
    {
        if (schema.TryGetProperty("required", out var required) && required.EnumerateArray().Any(name => !value.TryGetProperty(name.GetString()!, out _))) return false;
        var open = !schema.TryGetProperty("additionalProperties", out var others) || others.ValueKind != JsonValueKind.False;
        var known = schema.TryGetProperty("properties", out var properties);
        return value.EnumerateObject().All(member => known && properties.TryGetProperty(member.Name, out var inner) ? Fits(member.Value, inner) : open);
    }

    private static bool IsOf(JsonElement value, JsonElement type) =>
        type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Any(one => IsOf(value, one)) : type.ValueKind != JsonValueKind.String || IsNamed(value, type.GetString()!);

    private static bool IsNamed(JsonElement value, string type) => (type, value.ValueKind) switch
    {
        ("object", JsonValueKind.Object) or ("array", JsonValueKind.Array) or ("string", JsonValueKind.String) or ("number", JsonValueKind.Number) or ("null", JsonValueKind.Null) => true,
        ("boolean", JsonValueKind.True or JsonValueKind.False) => true,
        ("integer", JsonValueKind.Number) => value.TryGetDecimal(out var number) && decimal.IsInteger(number),
        _ => false,
    };
}
