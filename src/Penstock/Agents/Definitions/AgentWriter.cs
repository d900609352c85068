using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents.Definitions;

/// <summary>Writes a definition as one JSON object, members in one order and defaults written out: the same definition always gives the same text.</summary>
internal static class AgentWriter
{
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The definition with its text and its hash.</summary>
    public static AgentDefinition Sealed(AgentDefinition definition) => WithText(definition, Text(definition));

    public static AgentDefinition WithText(AgentDefinition definition, string text) => definition with { Text = text, Hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))) };

    public static void Limits(Utf8JsonWriter json, AgentLimits limits)
    {
        json.WriteStartObject("limits");
        json.WriteNumber("usd", limits.Usd.Usd);
        json.WriteNumber("steps", limits.Steps);
        json.WriteString("wall", Durations.Write(limits.Wall));
        json.WriteNumber("parallelTools", limits.ParallelTools);
        json.WriteNumber("toolCalls", limits.ToolCalls);
        json.WriteNumber("children", limits.Children);
        json.WriteNumber("depth", limits.Depth);
        if (limits.OutputTokens is { } tokens) json.WriteNumber("outputTokens", tokens);
        json.WriteEndObject();
    }

    public static void Model(Utf8JsonWriter json, AgentDefinition definition)
    {
        json.WriteStartObject("model");
        json.WriteString("alias", definition.Model);
        Texts(json, "fallbacks", definition.Fallbacks);
        json.WriteEndObject();
    }

    public static void Schema(Utf8JsonWriter json, string name, JsonSchema? schema)
    {
        if (schema is null) return;
        json.WritePropertyName(name);
        schema.Element.WriteTo(json);
    }

    private static string Text(AgentDefinition definition)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, Plain))
        {
            json.WriteStartObject();
            json.WriteString("apiVersion", "v1");
            json.WriteString("kind", "Agent");
            json.WriteString("name", definition.Name);
            json.WriteString("version", definition.Version);
            json.WriteString("description", definition.Description);
            Model(json, definition);
            json.WriteString("instructions", definition.Instructions);
            Schema(json, "inputSchema", definition.Input);
            Schema(json, "outputSchema", definition.Output);
            Tools(json, definition.Tools);
            Texts(json, "agents", definition.Agents);
            Limits(json, definition.Limits);
            Approvals(json, definition.Approvals);
            Context(json, definition.Context);
            json.WriteBoolean("cites", definition.Cites);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static void Tools(Utf8JsonWriter json, IReadOnlyList<AgentTool> tools)
    {
        json.WriteStartArray("tools");
        foreach (var tool in tools)
        {
            json.WriteStartObject();
            json.WriteString("name", tool.Name);
            if (tool.Effect is { } effect) json.WriteString("effect", ToolNames.Of(effect));
            if (tool.Timeout is { } timeout) json.WriteString("timeout", Durations.Write(timeout));
            if (tool.MaxConcurrency is { } most) json.WriteNumber("maxConcurrency", most);
            json.WriteNumber("retries", tool.Retries);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Approvals(Utf8JsonWriter json, IReadOnlyList<ApprovalRule> rules)
    {
        json.WriteStartArray("approvals");
        foreach (var rule in rules)
        {
            json.WriteStartObject();
            json.WriteString("tool", rule.Tool);
            json.WriteString("expires", Durations.Write(rule.Expires));
            json.WriteString("onExpire", rule.ApproveOnExpiry ? "approve" : "reject");
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Context(Utf8JsonWriter json, AgentContext context)
    {
        json.WriteStartObject("context");
        json.WriteNumber("maxTokens", context.MaxTokens);
        json.WriteNumber("threadMessages", context.ThreadMessages);
        json.WriteNumber("facts", context.Facts);
        json.WriteEndObject();
    }

    private static void Texts(Utf8JsonWriter json, string name, IReadOnlyList<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts) json.WriteStringValue(text);
        json.WriteEndArray();
    }
}
