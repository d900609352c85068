using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Providers.Local;

/// <summary>The members of one JSON Schema that the fill obeys, with <c>$ref</c> followed and <c>allOf</c> laid over.</summary>
internal sealed class Schema
{
    /// <summary>Members that restrict a value in ways the fill does not obey.</summary>
    private static readonly string[] NotObeyed =
    [
        "pattern", "patternProperties", "propertyNames", "not", "if", "dependentRequired", "dependentSchemas", "dependencies", "contains",
        "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "contentSchema",
    ];

    private const int MostHops = 32;
    private const int MostLayers = 256;

    private readonly List<JsonElement> _layers = [];

    /// <summary>The references followed on the way here; meeting one again below is recursion.</summary>
    public List<string> References { get; } = [];

    /// <summary>True for the schema <c>false</c>, or where a reference leads nowhere.</summary>
    public bool Impossible { get; private set; }

    public static Schema Read(JsonElement root, JsonElement given)
    {
        var schema = new Schema();
        schema.Lay(root, given, 0);
        return schema;
    }

    /// <summary>The first member, by its path, that asks for what the fill does not obey; null where all is understood.</summary>
    public static string? FirstNotObeyed(JsonElement schema, string path)
    {
        if (schema.ValueKind != JsonValueKind.Object) return null;
        foreach (var member in schema.EnumerateObject())
        {
            var here = $"{path}.{member.Name}";
            if (NotObeyed.Contains(member.Name)) return here;
            var found = member.Name switch
            {
                "properties" or "$defs" or "definitions" when member.Value.ValueKind == JsonValueKind.Object =>
                    member.Value.EnumerateObject().Select(child => FirstNotObeyed(child.Value, $"{here}.{child.Name}")).FirstOrDefault(child => child is not null),
                "anyOf" or "oneOf" or "allOf" or "prefixItems" when member.Value.ValueKind == JsonValueKind.Array =>
                    member.Value.EnumerateArray().Select((child, index) => FirstNotObeyed(child, $"{here}[{index}]")).FirstOrDefault(child => child is not null),
                "items" or "additionalProperties" => FirstNotObeyed(member.Value, here),
                _ => null,
            };
            if (found is not null) return found;
        }

        return null;
    }

    /// <summary>False where a name or a text holds an escaped half of a surrogate pair: valid JSON, but nothing that can be read.</summary>
    public static bool IsText(JsonElement element)
    {
        try
        {
            return element.ValueKind switch
            {
                JsonValueKind.String => element.GetString() is not null,
                JsonValueKind.Array => element.EnumerateArray().All(IsText),
                JsonValueKind.Object => element.EnumerateObject().All(member => member.Name.Length >= 0 && IsText(member.Value)),
                _ => true,
            };
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    public JsonElement? Member(string name)
    {
        foreach (var layer in _layers)
        {
            if (layer.TryGetProperty(name, out var value)) return value;
        }

        return null;
    }

    public string? Text(string name) => Member(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>The tightest of the layers' whole numbers; <paramref name="otherwise"/> where none is given.</summary>
    public long Whole(string name, long otherwise, bool greatest)
    {
        var given = Numbers(name).Select(value => (long)Math.Clamp(value, 0, int.MaxValue)).ToList();
        return given.Count == 0 ? otherwise : greatest ? given.Max() : given.Min();
    }

    public IEnumerable<double> Numbers(string name) => _layers
        .Where(layer => layer.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number)
        .Select(layer => layer.GetProperty(name).GetDouble());

    /// <summary>Properties of all layers, in order; the first of a name stands.</summary>
    public IReadOnlyList<(string Name, JsonElement Schema)> Properties()
    {
        var seen = new HashSet<string>();
        return [.. Objects("properties").SelectMany(map => map.EnumerateObject()).Where(member => seen.Add(member.Name)).Select(member => (member.Name, member.Value))];
    }

    public HashSet<string> Required() => [.. Arrays("required").SelectMany(list => list.EnumerateArray()).Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!)];

    public IReadOnlyList<JsonElement> Alternatives() => (Member("anyOf") ?? Member("oneOf")) is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray()] : [];

    public IReadOnlyList<JsonElement>? Enumerated() => Member("enum") is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray()] : null;

    /// <summary>The types a value may have, in the schema's order; what its members suggest where it names none.</summary>
    public IReadOnlyList<string> Types()
    {
        var given = Member("type") switch
        {
            { ValueKind: JsonValueKind.String } one => [one.GetString()!],
            { ValueKind: JsonValueKind.Array } many => many.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!).ToList(),
            _ => [],
        };
        if (given.Count > 0) return given;
        if (Member("properties") is not null || Member("required") is not null) return ["object"];
        if (Member("items") is not null || Member("prefixItems") is not null) return ["array"];
        return Member("minimum") is not null || Member("maximum") is not null ? ["number"] : ["string"];
    }

    private void Lay(JsonElement root, JsonElement given, int hops)
    {
        if (given.ValueKind == JsonValueKind.True) return;
        if (given.ValueKind != JsonValueKind.Object || hops > MostHops || _layers.Count > MostLayers)
        {
            Impossible = true;
            return;
        }

        _layers.Add(given);
        if (given.TryGetProperty("$ref", out var reference) && reference.ValueKind == JsonValueKind.String)
        {
            References.Add(reference.GetString()!);
            if (JsonSchema.Follow(root, reference.GetString()!) is { } target) Lay(root, target, hops + 1);
            else Impossible = true;
        }

        if (!given.TryGetProperty("allOf", out var all) || all.ValueKind != JsonValueKind.Array) return;
        foreach (var layer in all.EnumerateArray()) Lay(root, layer, hops + 1);
    }

    private IEnumerable<JsonElement> Objects(string name) => _layers.Select(layer => layer.TryGetProperty(name, out var value) ? value : default).Where(value => value.ValueKind == JsonValueKind.Object);

    private IEnumerable<JsonElement> Arrays(string name) => _layers.Select(layer => layer.TryGetProperty(name, out var value) ? value : default).Where(value => value.ValueKind == JsonValueKind.Array);
}
