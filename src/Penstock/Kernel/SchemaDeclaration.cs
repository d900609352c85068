using System.Text.Json;

namespace Penstock.Kernel;

/// <summary>Walks a schema once, when it is declared, and refuses by name what a check would not obey.</summary>
internal sealed class SchemaDeclaration(JsonElement root, SchemaRules rules)
{
    public const int Largest = 256 * 1024;

    private const int Deepest = 48;
    private const int MostSchemas = 5_000;
    private const int LongestPattern = 1_000;

    /// <summary>They say something about a value and restrict nothing.</summary>
    private static readonly string[] Notes =
        ["$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType"];

    private static readonly string[] Drafts = ["https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema", "http://json-schema.org/draft-07/schema"];

    private static readonly string[] Types = ["object", "array", "string", "number", "integer", "boolean", "null"];

    private readonly HashSet<string> _followed = new(StringComparer.Ordinal);
    private readonly Queue<JsonView> _references = [];
    private int _schemas;

    public void Check(JsonView schema)
    {
        Check(schema, 0);
        while (_references.TryDequeue(out var target)) Check(target, 0);
    }

    private void Check(JsonView schema, int depth)
    {
        if (schema.Kind is JsonValueKind.True or JsonValueKind.False) return;
        if (schema.Kind != JsonValueKind.Object) throw schema.Bad("must be a JSON Schema");
        if (depth > Deepest) throw new RefusedException(Refusal.Invalid(schema.Path, $"'{schema.Path}' lies more than {Deepest} schemas deep."));
        if (++_schemas > MostSchemas) throw new RefusedException(Refusal.Invalid(schema.Path, $"The JSON Schema holds more than {MostSchemas} schemas."));
        foreach (var (name, value) in schema.Members()) Member(name, value, depth);
    }

    private void Member(string name, JsonView value, int depth)
    {
        switch (name)
        {
            case "$schema":
                if (!Drafts.Contains(value.Text().TrimEnd('#'))) throw value.Bad($"names a draft that is not known here; known are {string.Join(", ", Drafts)}");
                break;
            case "type":
                foreach (var type in value.Kind == JsonValueKind.Array ? value.Items() : [value]) type.OneOf(Types);
                break;
            case "properties" or "patternProperties" or "$defs" or "definitions" or "dependentSchemas":
                Map(name, value, depth);
                break;
            case "allOf" or "anyOf" or "oneOf" or "prefixItems":
                List(value, depth);
                break;
            case "items" or "additionalProperties" or "propertyNames" or "contains" or "not" or "if" or "then" or "else":
                Check(value, depth + 1);
                break;
            default:
                Plain(name, value);
                break;
        }
    }

    private void Map(string name, JsonView map, int depth)
    {
        foreach (var (key, child) in map.Members())
        {
            if (name == "patternProperties") Pattern(key, child);
            Check(child, depth + 1);
        }
    }

    private void List(JsonView list, int depth)
    {
        if (list.Count == 0) throw list.Bad("must hold at least one schema");
        foreach (var child in list.Items()) Check(child, depth + 1);
    }

    private void Plain(string name, JsonView value)
    {
        switch (name)
        {
            case "required":
                foreach (var item in value.Items()) item.Text();
                break;
            case "dependentRequired":
                foreach (var item in value.Members().SelectMany(member => member.Value.Items())) item.Text();
                break;
            case "minLength" or "maxLength" or "minItems" or "maxItems" or "minProperties" or "maxProperties" or "minContains" or "maxContains":
                value.Whole(0);
                break;
            case "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum":
                value.Number();
                break;
            case "multipleOf":
                if (value.Number() <= 0) throw value.Bad("must be more than 0");
                break;
            case "pattern":
                Pattern(value.Text(), value);
                break;
            case "enum":
                if (value.Count == 0) throw value.Bad("must hold at least one value");
                break;
            case "format":
                value.Text();
                break;
            case "uniqueItems":
                value.Flag();
                break;
            case "$ref":
                Reference(value);
                break;
            default:
                if (name != "const" && !Notes.Contains(name) && !name.StartsWith("x-", StringComparison.Ordinal))
                    throw new RefusedException(Refusal.Invalid(value.Path, $"'{value.Path}' is a member of a JSON Schema that is not checked here. Say it in another way, or remove it."));
                break;
        }
    }

    /// <summary>What it leads to may stand where no schema is looked for.</summary>
    private void Reference(JsonView reference)
    {
        var target = SchemaRules.Follow(root, reference.Text()) ?? throw reference.Bad("must point to a schema within this one, such as #/$defs/name");
        if (_followed.Add(reference.Text())) _references.Enqueue(new JsonView(target, reference.Text()));
    }

    private void Pattern(string pattern, JsonView at)
    {
        if (pattern.Length > LongestPattern) throw new RefusedException(Refusal.Invalid(at.Path, $"'{at.Path}' is a pattern of more than {LongestPattern} characters."));
        try
        {
            rules.Add(pattern);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new RefusedException(Refusal.Invalid(at.Path, $"'{at.Path}' is no pattern that takes linear time to match; look-around and back-references do not."));
        }
    }
}
