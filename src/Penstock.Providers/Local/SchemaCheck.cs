using System.Globalization;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Providers.Local;

/// <summary>Whether a value is what a JSON Schema asks for, over the members the fill obeys.</summary>
/// <param name="schema">What the value is held to.</param>
/// <param name="root">What its references lead into.</param>
internal sealed class SchemaCheck(JsonElement schema, JsonElement root)
{
    private const int Deepest = 200;

    /// <summary>Alternatives within alternatives multiply; past this many looks the value counts as wrong.</summary>
    private const int Budget = 100_000;

    private int _looks;

    public SchemaCheck(JsonElement root)
        : this(root, root)
    {
    }

    /// <summary>What is wrong, by path; null where nothing is.</summary>
    public string? Problem(JsonElement value) => Of(schema, value, "the value", 0);

    private string? Of(JsonElement schema, JsonElement value, string path, int depth)
    {
        if (schema.ValueKind == JsonValueKind.True) return null;
        if (schema.ValueKind != JsonValueKind.Object || depth > Deepest || ++_looks > Budget) return $"nothing satisfies it at {path}";
        var read = Schema.Read(root, schema);
        if (read.Impossible) return $"nothing satisfies it at {path}";
        return Same(read, value, path)
            ?? Combined(schema, value, path, depth)
            ?? value.ValueKind switch
            {
                JsonValueKind.Object => Object(read, value, path, depth),
                JsonValueKind.Array => Array(read, value, path, depth),
                JsonValueKind.String => String(read, value, path),
                JsonValueKind.Number => Number(read, value, path),
                _ => null,
            };
    }

    private static string? Same(Schema schema, JsonElement value, string path)
    {
        if (schema.Member("const") is { } constant && !JsonElement.DeepEquals(constant, value)) return $"{path} must be its constant";
        if (schema.Enumerated() is { } members && !members.Any(member => JsonElement.DeepEquals(member, value))) return $"{path} must be one of its enum";
        return schema.Member("type") is null || schema.Types().Any(type => IsOf(type, value)) ? null : $"{path} must be of type {string.Join(" or ", schema.Types())}";
    }

    private static bool IsOf(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) && decimal.Truncate(number) == number,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        _ => false,
    };

    private string? Combined(JsonElement schema, JsonElement value, string path, int depth)
    {
        if (Text(schema, "$ref") is { } reference && JsonSchema.Follow(root, reference) is { } target && Of(target, value, path, depth + 1) is { } wrong) return wrong;
        if (List(schema, "allOf").Select(one => Of(one, value, path, depth + 1)).FirstOrDefault(one => one is not null) is { } unmet) return unmet;
        var any = List(schema, "anyOf");
        if (any.Count > 0 && !any.Exists(one => Of(one, value, path, depth + 1) is null)) return $"{path} must match an alternative of anyOf";
        var single = List(schema, "oneOf");
        return single.Count == 0 || single.Count(one => Of(one, value, path, depth + 1) is null) == 1 ? null : $"{path} must match exactly one alternative of oneOf";
    }

    private static string? Text(JsonElement schema, string name) => schema.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static List<JsonElement> List(JsonElement schema, string name) =>
        schema.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray()] : [];

    private string? Object(Schema schema, JsonElement value, string path, int depth)
    {
        var known = schema.Properties().ToDictionary(property => property.Name, property => property.Schema);
        var missing = schema.Required().FirstOrDefault(name => !value.TryGetProperty(name, out _));
        if (missing is not null) return $"{path} must have '{missing}'";
        var count = value.EnumerateObject().Count();
        if (count < schema.Whole("minProperties", 0, greatest: true) || count > schema.Whole("maxProperties", int.MaxValue, greatest: false)) return $"{path} has {count} members, outside its limits";
        foreach (var member in value.EnumerateObject())
        {
            var here = $"{path}.{member.Name}";
            var rule = known.TryGetValue(member.Name, out var own) ? own : schema.Member("additionalProperties");
            if (rule is { } given && Of(given, member.Value, here, depth + 1) is { } wrong) return wrong;
        }

        return null;
    }

    private string? Array(Schema schema, JsonElement value, string path, int depth)
    {
        var count = value.GetArrayLength();
        if (count < schema.Whole("minItems", 0, greatest: true) || count > schema.Whole("maxItems", int.MaxValue, greatest: false)) return $"{path} has {count} items, outside its limits";
        var items = value.EnumerateArray().ToList();
        if (schema.Member("uniqueItems") is { ValueKind: JsonValueKind.True } && items.Select(item => item.GetRawText()).Distinct().Count() < count) return $"{path} must not repeat an item";
        var tuple = schema.Member("prefixItems") is { ValueKind: JsonValueKind.Array } given ? given.EnumerateArray().ToList() : [];
        for (var i = 0; i < count; i++)
        {
            var rule = i < tuple.Count ? tuple[i] : schema.Member("items");
            if (rule is { } one && Of(one, items[i], $"{path}[{i}]", depth + 1) is { } wrong) return wrong;
        }

        return null;
    }

    private static string? String(Schema schema, JsonElement value, string path)
    {
        var text = value.GetString()!;
        var length = text.EnumerateRunes().Count();
        if (length < schema.Whole("minLength", 0, greatest: true) || length > schema.Whole("maxLength", int.MaxValue, greatest: false)) return $"{path} has {length} characters, outside its limits";
        var sound = schema.Text("format") switch
        {
            "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "email" => text.IndexOf('@') is > 0 and var at && at == text.LastIndexOf('@') && at < text.Length - 1,
            "date-time" => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out _) && text.Contains('T'),
            _ => true,
        };
        return sound ? null : $"{path} must be in format {schema.Text("format")}";
    }

    private static string? Number(Schema schema, JsonElement value, string path) =>
        NumberRange.Of(schema, whole: false) is { } range && value.TryGetDecimal(out var number) && range.Allows(number) ? null : $"{path} is outside its limits";
}
