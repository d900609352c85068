using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Penstock.Kernel;

internal sealed partial class SchemaRules
{
    private sealed partial class Look
    {
        private SchemaProblem? Object(JsonElement schema, JsonElement value, string at, int depth)
        {
            foreach (var name in List(schema, "required").Select(item => item.GetString()!))
            {
                if (!value.TryGetProperty(name, out _)) return new SchemaProblem(SchemaRules.At(at, name), "is required");
            }

            var count = value.GetPropertyCount();
            if (Beyond(schema, "minProperties", "maxProperties", count) is { } bound) return new SchemaProblem(at, $"has {count} members and must have {bound}");
            if (Dependent(schema, value, at, depth) is { } missing) return missing;
            foreach (var member in value.EnumerateObject())
            {
                if (Member(schema, member, at, depth) is { } wrong) return wrong;
            }

            return null;
        }

        private SchemaProblem? Dependent(JsonElement schema, JsonElement value, string at, int depth)
        {
            foreach (var rule in Members(schema, "dependentRequired").Where(rule => value.TryGetProperty(rule.Name, out _)))
            {
                foreach (var name in rule.Value.EnumerateArray().Select(item => item.GetString()!))
                {
                    if (!value.TryGetProperty(name, out _)) return new SchemaProblem(SchemaRules.At(at, name), $"is required where '{rule.Name}' is given");
                }
            }

            foreach (var rule in Members(schema, "dependentSchemas").Where(rule => value.TryGetProperty(rule.Name, out _)))
            {
                if (Of(rule.Value, value, at, depth + 1) is { } wrong) return wrong;
            }

            return null;
        }

        private SchemaProblem? Member(JsonElement schema, JsonProperty member, string at, int depth)
        {
            var (name, here) = (member.Name, SchemaRules.At(at, member.Name));
            if (schema.TryGetProperty("propertyNames", out var names) && OfName(names, name, here, depth) is { } misnamed) return misnamed;
            var known = false;
            if (schema.TryGetProperty("properties", out var properties) && properties.TryGetProperty(name, out var own))
            {
                known = true;
                if (Of(own, member.Value, here, depth + 1) is { } wrong) return wrong;
            }

            foreach (var rule in Members(schema, "patternProperties").Where(rule => rules._patterns[rule.Name].IsMatch(name)))
            {
                known = true;
                if (Of(rule.Value, member.Value, here, depth + 1) is { } wrong) return wrong;
            }

            if (known || !schema.TryGetProperty("additionalProperties", out var others)) return null;
            if (others.ValueKind != JsonValueKind.False) return Of(others, member.Value, here, depth + 1);
            var all = Members(schema, "properties").Select(property => property.Name).ToArray();
            return new SchemaProblem(here, all.Length == 0 ? "is not known here" : $"is not known here; known are {string.Join(", ", all)}");
        }

        private SchemaProblem? OfName(JsonElement schema, string name, string at, int depth)
        {
            using var text = JsonDocument.Parse($"\"{JsonEncodedText.Encode(name)}\"");
            return Of(schema, text.RootElement, at, depth + 1) is { } wrong ? wrong with { Message = $"is a name that {wrong.Message}" } : null;
        }

        private SchemaProblem? Array(JsonElement schema, JsonElement value, string at, int depth)
        {
            var count = value.GetArrayLength();
            if (Beyond(schema, "minItems", "maxItems", count) is { } bound) return new SchemaProblem(at, $"has {count} items and must have {bound}");
            if (schema.TryGetProperty("uniqueItems", out var unique) && unique.GetBoolean() && Repeated(value) is { } twice) return new SchemaProblem(SchemaRules.At(at, twice), "repeats an item before it");
            var tuple = schema.TryGetProperty("prefixItems", out var prefix) ? prefix.GetArrayLength() : 0;
            var rest = schema.TryGetProperty("items", out var items);
            var index = 0;
            foreach (var item in value.EnumerateArray())
            {
                var here = SchemaRules.At(at, index);
                var wrong = index < tuple ? Of(prefix[index], item, here, depth + 1) : rest ? Of(items, item, here, depth + 1) : null;
                if (wrong is not null) return wrong;
                index++;
            }

            return Contained(schema, value, at, depth);
        }

        private SchemaProblem? Contained(JsonElement schema, JsonElement value, string at, int depth)
        {
            if (!schema.TryGetProperty("contains", out var wanted)) return null;
            var found = value.EnumerateArray().Count(item => Of(wanted, item, at, depth + 1) is null);
            var least = schema.TryGetProperty("minContains", out var min) ? min.GetDouble() : 1;
            var most = schema.TryGetProperty("maxContains", out var max) ? max.GetDouble() : double.MaxValue;
            return found >= least && found <= most ? null : new SchemaProblem(at, $"holds {found} items that 'contains' asks for, which is too {(found < least ? "few" : "many")}");
        }

        /// <summary>Equal items are found by their canonical text first, so that a long array takes no square of time.</summary>
        private static int? Repeated(JsonElement array)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            var index = 0;
            foreach (var item in array.EnumerateArray())
            {
                if (!seen.Add(Canonical(item))) return index;
                index++;
            }

            return null;
        }

        private static string Canonical(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.Object => $"{{{string.Join(',', value.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal).Select(member => $"{JsonEncodedText.Encode(member.Name)}:{Canonical(member.Value)}"))}}}",
            JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(Canonical))}]",
            JsonValueKind.String => $"\"{JsonEncodedText.Encode(value.GetString()!)}\"",
            JsonValueKind.Number => value.TryGetDecimal(out var exact) ? (exact / 1.0000000000000000000000000000m).ToString(CultureInfo.InvariantCulture) : value.GetRawText(),
            _ => value.GetRawText(),
        };

        private SchemaProblem? Text(JsonElement schema, JsonElement value, string at)
        {
            var text = value.GetString()!;
            if (schema.TryGetProperty("minLength", out _) || schema.TryGetProperty("maxLength", out _))
            {
                var length = text.EnumerateRunes().Count();
                if (Beyond(schema, "minLength", "maxLength", length) is { } bound) return new SchemaProblem(at, $"has {length} characters and must have {bound}");
            }

            if (schema.TryGetProperty("pattern", out var pattern) && !rules._patterns[pattern.GetString()!].IsMatch(text)) return new SchemaProblem(at, $"must match the pattern {Short(pattern)}");
            return schema.TryGetProperty("format", out var format) && !IsIn(format.GetString()!, text) ? new SchemaProblem(at, $"must be in the format {format.GetString()}") : null;
        }

        /// <summary>A format that is not known here says something about the value and restricts nothing, as the draft has it.</summary>
        private static bool IsIn(string format, string text) => format switch
        {
            "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "date-time" => text.Contains('T', StringComparison.OrdinalIgnoreCase) && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "email" => text.IndexOf('@', StringComparison.Ordinal) is > 0 and var sign && sign == text.LastIndexOf('@') && sign < text.Length - 1,
            "uri" => Uri.TryCreate(text, UriKind.Absolute, out _),
            "uuid" => Guid.TryParseExact(text, "D", out _),
            "ipv4" => IPAddress.TryParse(text, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork && text.Count(c => c == '.') == 3,
            "ipv6" => IPAddress.TryParse(text, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6,
            _ => true,
        };

        private static SchemaProblem? Number(JsonElement schema, JsonElement value, string at)
        {
            if (schema.TryGetProperty("minimum", out var least) && Compare(value, least) < 0) return new SchemaProblem(at, $"must be at least {least.GetRawText()}");
            if (schema.TryGetProperty("maximum", out var most) && Compare(value, most) > 0) return new SchemaProblem(at, $"must be at most {most.GetRawText()}");
            if (schema.TryGetProperty("exclusiveMinimum", out var above) && Compare(value, above) <= 0) return new SchemaProblem(at, $"must be more than {above.GetRawText()}");
            if (schema.TryGetProperty("exclusiveMaximum", out var below) && Compare(value, below) >= 0) return new SchemaProblem(at, $"must be less than {below.GetRawText()}");
            return schema.TryGetProperty("multipleOf", out var step) && !IsMultiple(value, step) ? new SchemaProblem(at, $"must be a multiple of {step.GetRawText()}") : null;
        }

        private static int Compare(JsonElement value, JsonElement bound) =>
            value.TryGetDecimal(out var exact) && bound.TryGetDecimal(out var limit) ? exact.CompareTo(limit) : value.GetDouble().CompareTo(bound.GetDouble());

        private static bool IsMultiple(JsonElement value, JsonElement step) =>
            value.TryGetDecimal(out var exact) && step.TryGetDecimal(out var unit) && unit != 0 ? exact % unit == 0 : double.IsInteger(value.GetDouble() / step.GetDouble());

        private static string? Beyond(JsonElement schema, string min, string max, int count)
        {
            if (schema.TryGetProperty(min, out var least) && count < least.GetDouble()) return $"at least {least.GetRawText()}";
            return schema.TryGetProperty(max, out var most) && count > most.GetDouble() ? $"at most {most.GetRawText()}" : null;
        }

        private static JsonElement.ObjectEnumerator Members(JsonElement schema, string name) => schema.TryGetProperty(name, out var map) ? map.EnumerateObject() : default;
    }
}
