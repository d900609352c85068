using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Penstock.Kernel;

/// <summary>Checks values against the members of a declared schema.</summary>
internal sealed partial class SchemaRules(JsonElement root)
{
    private const int Deepest = 200;

    /// <summary>Alternatives within alternatives multiply; past this many looks a value counts as wrong.</summary>
    private const int MostLooks = 200_000;

    private JsonElement Root => root;

    private readonly Dictionary<string, Regex> _patterns = new(StringComparer.Ordinal);

    /// <summary>Throws where the pattern is none, or needs more than linear time.</summary>
    public void Add(string pattern) => _patterns.TryAdd(pattern, new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking));

    public SchemaProblem? Check(JsonElement value) => new Look(this).Of(root, value, "", 0);

    /// <summary>A pointer within the schema (RFC 6901); nothing is ever fetched.</summary>
    public static JsonElement? Follow(JsonElement root, string reference)
    {
        if (reference == "#") return root;
        if (!reference.StartsWith("#/", StringComparison.Ordinal)) return null;
        var at = root;
        foreach (var step in Uri.UnescapeDataString(reference[2..]).Split('/'))
        {
            var name = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (at.ValueKind == JsonValueKind.Array && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < at.GetArrayLength()) at = at[index];
            else if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at)) return null;
        }

        return at.ValueKind is JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False ? at : null;
    }

    internal static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };

    internal static string At(string pointer, string name) => $"{pointer}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";

    internal static string At(string pointer, int index) => string.Create(CultureInfo.InvariantCulture, $"{pointer}/{index}");

    /// <summary>One check of one value.</summary>
    private sealed partial class Look(SchemaRules rules)
    {
        private int _looks;

        public SchemaProblem? Of(JsonElement schema, JsonElement value, string at, int depth)
        {
            if (schema.ValueKind == JsonValueKind.True) return null;
            if (schema.ValueKind == JsonValueKind.False) return new SchemaProblem(at, "is not allowed here");
            if (depth > Deepest || ++_looks > MostLooks) return new SchemaProblem(at, "takes too much work to check");
            return Itself(schema, value, at)
                ?? Combined(schema, value, at, depth)
                ?? Conditional(schema, value, at, depth)
                ?? value.ValueKind switch
                {
                    JsonValueKind.Object => Object(schema, value, at, depth),
                    JsonValueKind.Array => Array(schema, value, at, depth),
                    JsonValueKind.String => Text(schema, value, at),
                    JsonValueKind.Number => Number(schema, value, at),
                    _ => null,
                };
        }

        private static SchemaProblem? Itself(JsonElement schema, JsonElement value, string at)
        {
            if (schema.TryGetProperty("type", out var type) && !Names(type).Any(name => IsOf(name, value)))
                return new SchemaProblem(at, $"must be {string.Join(" or ", Names(type).Select(WithArticle))}, not {Describe(value)}");
            if (schema.TryGetProperty("const", out var constant) && !JsonElement.DeepEquals(constant, value)) return new SchemaProblem(at, $"must be {Short(constant)}");
            return schema.TryGetProperty("enum", out var members) && !members.EnumerateArray().Any(member => JsonElement.DeepEquals(member, value))
                ? new SchemaProblem(at, $"must be one of {Short(members)}")
                : null;
        }

        private SchemaProblem? Combined(JsonElement schema, JsonElement value, string at, int depth)
        {
            if (schema.TryGetProperty("$ref", out var reference) && Of(Follow(rules.Root, reference.GetString()!)!.Value, value, at, depth + 1) is { } wrong) return wrong;
            foreach (var one in List(schema, "allOf"))
            {
                if (Of(one, value, at, depth + 1) is { } unmet) return unmet;
            }

            if (schema.TryGetProperty("anyOf", out var any) && FirstOfAll(any, value, at, depth, out var matches) is { } none && matches == 0) return none;
            if (schema.TryGetProperty("oneOf", out var single))
            {
                var problem = FirstOfAll(single, value, at, depth, out var fits);
                if (fits == 0) return problem;
                if (fits > 1) return new SchemaProblem(at, $"fits {fits} alternatives of oneOf and must fit exactly one");
            }

            return schema.TryGetProperty("not", out var forbidden) && Of(forbidden, value, at, depth + 1) is null ? new SchemaProblem(at, "is what 'not' forbids") : null;
        }

        /// <summary>Of alternatives that all fail, the one that came furthest into the value says most.</summary>
        private SchemaProblem? FirstOfAll(JsonElement alternatives, JsonElement value, string at, int depth, out int matches)
        {
            SchemaProblem? furthest = null;
            matches = 0;
            foreach (var one in alternatives.EnumerateArray())
            {
                if (Of(one, value, at, depth + 1) is not { } problem) matches++;
                else if (furthest is null || problem.Pointer.Length > furthest.Value.Pointer.Length) furthest = problem;
            }

            return furthest;
        }

        private SchemaProblem? Conditional(JsonElement schema, JsonElement value, string at, int depth)
        {
            if (!schema.TryGetProperty("if", out var condition)) return null;
            var branch = Of(condition, value, at, depth + 1) is null ? "then" : "else";
            return schema.TryGetProperty(branch, out var rule) ? Of(rule, value, at, depth + 1) : null;
        }

        private static IEnumerable<string> Names(JsonElement type) => type.ValueKind == JsonValueKind.String ? [type.GetString()!] : type.EnumerateArray().Select(name => name.GetString()!);

        private static string WithArticle(string type) => type switch
        {
            "null" => "null",
            "object" or "array" or "integer" => "an " + type,
            _ => "a " + type,
        };

        private static bool IsOf(string type, JsonElement value) => type switch
        {
            "object" => value.ValueKind == JsonValueKind.Object,
            "array" => value.ValueKind == JsonValueKind.Array,
            "string" => value.ValueKind == JsonValueKind.String,
            "number" => value.ValueKind == JsonValueKind.Number,
            "integer" => value.ValueKind == JsonValueKind.Number && IsWhole(value),
            "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
            _ => value.ValueKind == JsonValueKind.Null,
        };

        private static bool IsWhole(JsonElement value) => value.TryGetDecimal(out var exact) ? decimal.IsInteger(exact) : value.TryGetDouble(out var number) && double.IsInteger(number);

        private static JsonElement.ArrayEnumerator List(JsonElement schema, string name) => schema.TryGetProperty(name, out var list) ? list.EnumerateArray() : default;

        private static string Short(JsonElement json) => json.GetRawText() is { Length: > 300 } text ? text[..300] + "…" : json.GetRawText();
    }
}
