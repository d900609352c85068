using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>What a tool takes, as it was offered.</summary>
internal sealed class ToolForm : IDisposable
{
    private readonly ToolDefinition _tool;
    private readonly JsonDocument? _schema;

    public ToolForm(ToolDefinition tool)
    {
        _tool = tool;
        try
        {
            _schema = tool.Schema is { } schema ? JsonDocument.Parse(schema) : null;
            if (_schema is not null && Schema.IsText(_schema.RootElement)) return;
        }
        catch (JsonException)
        {
            // A tool that does not say what it takes is never called.
        }

        _schema?.Dispose();
        _schema = null;
    }

    public string Name => _tool.Name;

    /// <summary>
    /// A call with those of <paramref name="arguments"/> that the tool knows. Null where it does not know the first, where it needs more, or where it would not
    /// take them.
    /// </summary>
    public MadeCall? Call(params (string Name, JsonNode? Value)[] arguments)
    {
        if (_schema is not { } schema) return null;
        var known = Schema.Read(schema.RootElement, schema.RootElement).Properties().ToDictionary(property => property.Name, property => Schema.Read(schema.RootElement, property.Schema));
        if (!known.ContainsKey(arguments[0].Name)) return null;
        var made = new JsonObject();
        foreach (var (name, value) in arguments)
        {
            if (value is not null && known.TryGetValue(name, out var rule)) made[name] = Fitted(value, rule);
        }

        var text = SchemaFill.Write(made);
        using var parsed = JsonDocument.Parse(text);
        return new SchemaCheck(schema.RootElement).Problem(parsed.RootElement) is null ? new MadeCall(Name, text) : null;
    }

    /// <summary>
    /// A call that must be made: what the text has for the tool's arguments, neutral where it has nothing. Null where it needs some and the text has none at all.
    /// Throws where no value can satisfy the schema.
    /// </summary>
    public MadeCall? Filled(Prompt prompt, Findings findings, CancellationToken ct)
    {
        if (_tool.Schema is not { } schema) return new MadeCall(Name, "{}");
        var (text, found) = SchemaFill.Made(schema, prompt, findings, ct);
        // A schema that takes anything is filled with anything; arguments are an object.
        if (AgentTask.ObjectOf(text) is null) text = "{}";
        return found || (_schema is { } read && Schema.Read(read.RootElement, read.RootElement).Required().Count == 0) ? new MadeCall(Name, text) : null;
    }

    public void Dispose() => _schema?.Dispose();

    private static JsonNode Fitted(JsonNode value, Schema rule) => value is JsonValue text && text.TryGetValue<string>(out var given)
        ? JsonValue.Create(AgentTask.Cut(given, (int)Math.Max(1, rule.Whole("maxLength", int.MaxValue, greatest: false))))
        : value;
}
