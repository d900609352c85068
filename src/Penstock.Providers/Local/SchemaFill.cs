using System.Buffers;
using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>
/// Makes a value that a JSON Schema accepts: from the text where the schema's names and descriptions match what is found there,
/// else neutral (null, "", 0, false, []). What it made is checked; what it cannot make it refuses.
/// </summary>
internal sealed class SchemaFill
{
    /// <summary>Values and enum members looked at in all: references let a small schema ask for endlessly many.</summary>
    private const int Budget = 20_000;

    private const int Deepest = 48;
    private const int UsualItems = 10;

    private readonly JsonElement _root;
    private readonly SchemaLeaf _leaf;
    private readonly CancellationToken _ct;
    private readonly List<string> _open = [];
    private readonly AgentReport? _report;
    private readonly IReadOnlyDictionary<string, JsonNode?> _known;
    private int _spent;

    private SchemaFill(JsonElement root, Prompt prompt, Findings findings, AgentReport? report, CancellationToken ct)
    {
        (_root, _report, _ct) = (root, report, ct);
        _known = report?.Known() ?? FrozenDictionary<string, JsonNode?>.Empty;
        _leaf = new SchemaLeaf(prompt, findings);
    }

    /// <summary>The value as JSON text. Throws <see cref="ProviderException"/> where none can be made.</summary>
    /// <param name="report">What tools answered; its values go before what is found in the text.</param>
    public static string Fill(string schema, Prompt prompt, Findings findings, CancellationToken ct, AgentReport? report = null) => Made(schema, prompt, findings, ct, report).Text;

    /// <summary>The same, and whether the text had something for any of it.</summary>
    public static (string Text, bool Found) Made(string schema, Prompt prompt, Findings findings, CancellationToken ct, AgentReport? report = null)
    {
        using var document = Parse(schema);
        var fill = new SchemaFill(document.RootElement, prompt, findings, report, ct);
        var filled = fill.Value(document.RootElement, "", 0) ?? throw Cannot("no value can satisfy it");
        var text = Write(filled.Node);
        using var made = JsonDocument.Parse(text);
        return new SchemaCheck(document.RootElement).Problem(made.RootElement) is { } problem ? throw Cannot(problem) : (text, filled.Found);
    }

    private static JsonDocument Parse(string schema)
    {
        try
        {
            var document = JsonDocument.Parse(schema);
            return Schema.IsText(document.RootElement) ? document : throw Cannot("it holds half of a surrogate pair, which is no text");
        }
        catch (JsonException)
        {
            throw Cannot("it is not valid JSON");
        }
    }

    private static ProviderException Cannot(string problem) =>
        new(ProviderFault.Rejected, $"The local provider cannot fill this JSON schema: {problem}. Choose a language model for it.", code: "unsupported_schema");

    /// <summary>Null where no value can be made, such as where the schema needs itself.</summary>
    private Filled? Value(JsonElement given, string name, int depth)
    {
        _ct.ThrowIfCancellationRequested();
        Spend(1);
        var schema = Schema.Read(_root, given);
        if (schema.Impossible || depth > Deepest || schema.References.Exists(_open.Contains)) return null;
        _open.AddRange(schema.References);
        try
        {
            return Of(schema, name, depth);
        }
        finally
        {
            _open.RemoveRange(_open.Count - schema.References.Count, schema.References.Count);
        }
    }

    private Filled? Of(Schema schema, string name, int depth)
    {
        if (schema.Member("const") is { } constant) return new Filled(JsonNode.Parse(constant.GetRawText()), false);
        if (schema.Enumerated() is { } members)
        {
            Spend(members.Count);
            return _leaf.Enumerated(members, name);
        }

        if (schema.Alternatives() is { Count: > 0 } alternatives) return Alternative(alternatives, name, depth);
        var types = schema.Types();
        var filled = types.FirstOrDefault(type => type != "null") switch
        {
            "object" => Object(schema, depth),
            "array" => Array(schema, name, depth),
            "string" => _leaf.String(schema, name),
            "integer" => _leaf.Number(schema, name, whole: true),
            "number" => _leaf.Number(schema, name, whole: false),
            "boolean" => _leaf.Boolean(name),
            _ => new Filled(null, false),
        };
        return types.Contains("null") && filled is not { Found: true } ? new Filled(null, false) : filled;
    }

    /// <summary>The first alternative the text has something for, else null where that is one, else the first that can be made.</summary>
    private Filled? Alternative(IReadOnlyList<JsonElement> alternatives, string name, int depth)
    {
        var made = new List<Filled>();
        foreach (var alternative in alternatives)
        {
            if (Value(alternative, name, depth + 1) is not { } filled) continue;
            if (filled.Found) return filled;
            made.Add(filled);
        }

        if (made.Count == 0) return null;
        var nothing = made.FindIndex(filled => filled.Node is null);
        return made[Math.Max(nothing, 0)];
    }

    private Filled? Object(Schema schema, int depth)
    {
        var required = schema.Required();
        var made = new JsonObject();
        var found = false;
        foreach (var (name, given) in schema.Properties())
        {
            var needed = required.Remove(name);
            var filled = Told(given, name, depth) ?? Value(given, name, depth + 1);
            if (filled is null && needed) return null;
            if (filled is not { } value || (!needed && !value.Found)) continue;
            made[name] = value.Node;
            found |= value.Found;
        }

        // Required, but described nowhere or by what describes every other member.
        foreach (var name in required)
        {
            var filled = schema.Member("additionalProperties") is { ValueKind: JsonValueKind.Object } rest ? Value(rest, name, depth + 1) : new Filled("", false);
            if (filled is not { } value) return null;
            made[name] = value.Node;
        }

        return new Filled(made, found);
    }

    /// <summary>What a tool answered for a member of this name, where its schema takes that.</summary>
    private Filled? Told(JsonElement given, string name, int depth)
    {
        if (depth > 0 || !_known.TryGetValue(name, out var told)) return null;
        if (told is JsonArray && CitedObjects(given) is { } cited) told = cited;
        using var value = JsonDocument.Parse(Write(told));
        return new SchemaCheck(given, _root).Problem(value.RootElement) is null ? new Filled(told?.DeepClone(), told is not null) : null;
    }

    /// <summary>Citations as objects where their schema wants such; null where it does not.</summary>
    private JsonArray? CitedObjects(JsonElement given)
    {
        if (Schema.Read(_root, given).Member("items") is not { } items || Schema.Read(_root, items) is not { Impossible: false } item || !item.Types().Contains("object")) return null;
        var names = item.Properties().Select(property => property.Name).ToHashSet();
        return new JsonArray([.. _report!.Cited.Select(source => new JsonObject([.. Members(source).Where(member => names.Contains(member.Key))]))]);
    }

    private static IEnumerable<KeyValuePair<string, JsonNode?>> Members(Source source)
    {
        yield return new("docId", source.DocId);
        yield return new("chunkId", source.Citation);
        yield return new("id", source.Citation);
        yield return new("title", source.Title);
        yield return new("uri", source.Uri);
        yield return new("url", source.Uri);
        foreach (var name in new[] { "snippet", "quote", "text" }) yield return new(name, source.Text);
    }

    private Filled? Array(Schema schema, string name, int depth)
    {
        var least = schema.Whole("minItems", 0, greatest: true);
        var most = Math.Min(schema.Whole("maxItems", UsualItems, greatest: false), Math.Max(least, UsualItems));
        var made = new JsonArray();
        var seen = new HashSet<string>();
        var unique = schema.Member("uniqueItems") is { ValueKind: JsonValueKind.True };
        if (schema.Member("prefixItems") is { ValueKind: JsonValueKind.Array } tuple)
        {
            foreach (var item in tuple.EnumerateArray())
            {
                if (Value(item, name, depth + 1) is not { } filled) return least > made.Count ? null : new Filled(made, false);
                made.Add(filled.Node);
            }

            if (made.Count >= least) return new Filled(made, false);
        }

        if (schema.Member("items") is not { } items) return Padded(made, least);
        var found = Items(items, name, most, depth).Where(filled => !unique || seen.Add(Write(filled))).Take((int)most).ToList();
        foreach (var filled in found) made.Add(filled);
        while (made.Count < least)
        {
            if (Value(items, name, depth + 1) is not { } filled || (unique && !seen.Add(Write(filled.Node)))) return null;
            made.Add(filled.Node);
        }

        return new Filled(made, found.Count > 0);
    }

    private bool IsWhole(Schema item, JsonNode? made, int depth)
    {
        if (made is not JsonObject) return true;
        var needed = item.Required();
        return item.Properties().Where(property => needed.Contains(property.Name)).All(property => Value(property.Schema, property.Name, depth + 2) is { Found: true });
    }

    private Filled Padded(JsonArray made, long least)
    {
        for (; made.Count < least; Spend(1)) made.Add((JsonNode)"");
        return new Filled(made, false);
    }

    /// <summary>What the text has for an array: several texts or numbers of a kind, several labels, or one object.</summary>
    private List<JsonNode?> Items(JsonElement items, string name, long most, int depth)
    {
        var schema = Schema.Read(_root, items);
        if (schema.Impossible || most == 0) return [];
        var simple = schema.Enumerated() is null && schema.Member("const") is null;
        if (simple && schema.Alternatives().Count == 0 && schema.Types()[0] is "string" or "integer" or "number")
        {
            return [.. _leaf.Several(schema, name, (int)most)];
        }

        if (Value(items, name, depth + 1) is not { Found: true } one) return [];
        // Guessed from part of what an item needs, it would be taken for a finding.
        return _report is null || IsWhole(schema, one.Node, depth) ? [one.Node] : [];
    }

    private void Spend(int amount)
    {
        _spent += amount;
        if (_spent > Budget) throw Cannot($"it asks for more than {Budget} values");
    }

    internal static string Write(JsonNode? node)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, Reply.JsonText))
        {
            if (node is null) json.WriteNullValue();
            else node.WriteTo(json);
        }

        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}

/// <param name="Found">True where the text had something for it, false for a neutral value.</param>
internal readonly record struct Filled(JsonNode? Node, bool Found);
