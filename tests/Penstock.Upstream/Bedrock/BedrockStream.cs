using System.Text.Json;

namespace Penstock.Upstream.Bedrock;

/// <summary>Events of a Converse stream. Text has no <c>contentBlockStart</c>, as at Bedrock; the counts come behind <c>messageStop</c>.</summary>
internal sealed class BedrockStream(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) : IStreamWriter
{
    private int _block = -1;
    private (StepKind Kind, int Call)? _open;

    public byte[] Start() => EventStream.Event("messageStart", json => json.WriteString("role", "assistant"));

    public byte[] Step(Step step)
    {
        var kind = step.Kind switch { StepKind.CallArguments => StepKind.CallStart, StepKind.Refusal => StepKind.Text, var same => same };
        byte[] opened = _open == (kind, step.Call) ? [] : [.. CloseBlock(), .. OpenBlock(kind, step)];
        return step.Kind switch
        {
            StepKind.CallStart => opened,
            StepKind.CallArguments => [.. opened, .. Delta(json => Write(json, "toolUse", "input", step.Text))],
            StepKind.Thinking => [.. opened, .. Delta(json => Write(json, "reasoningContent", "text", step.Text))],
            _ => [.. opened, .. Delta(json => json.WriteString("text", step.Text))],
        };
    }

    public byte[] Unknown() => EventStream.Event("addedLater", json => json.WriteString("note", "clients must tolerate this"));

    /// <summary>Its last byte, and so its sum, is wrong.</summary>
    public byte[] Malformed()
    {
        var message = Delta(json => json.WriteString("text", "broken"));
        message[^1] ^= 0xFF;
        return message;
    }

    public byte[] Error() => EventStream.Exception(ask.Find("error-in-stream")!.Values is [var named, ..] ? named : "modelStreamErrorException", "ordered by a marker");

    public byte[] End() =>
    [
        .. CloseBlock(),
        .. EventStream.Event("messageStop", json => BedrockVendor.WriteEnding(json, answer)),
        .. usage is { } counts ? EventStream.Event("metadata", json => WriteMetadata(json, counts)) : [],
    ];

    private static void WriteMetadata(Utf8JsonWriter json, BilledTokens counts)
    {
        BedrockVendor.WriteUsage(json, counts);
        json.WriteStartObject("metrics");
        json.WriteNumber("latencyMs", 1);
        json.WriteEndObject();
    }

    private byte[] OpenBlock(StepKind kind, Step step)
    {
        _open = (kind, step.Call);
        _block++;
        if (kind != StepKind.CallStart) return [];
        return EventStream.Event("contentBlockStart", json =>
        {
            json.WriteStartObject("start");
            json.WriteStartObject("toolUse");
            json.WriteString("toolUseId", BedrockVendor.CallId(exchange, step.Call));
            json.WriteString("name", step.Text);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteNumber("contentBlockIndex", _block);
        });
    }

    private byte[] CloseBlock()
    {
        if (_open is not { } open) return [];
        _open = null;
        byte[] signed = open.Kind == StepKind.Thinking ? Delta(json => Write(json, "reasoningContent", "signature", Anthropic.AnthropicVendor.Signature)) : [];
        return [.. signed, .. EventStream.Event("contentBlockStop", json => json.WriteNumber("contentBlockIndex", _block))];
    }

    private byte[] Delta(Action<Utf8JsonWriter> write) => EventStream.Event("contentBlockDelta", json =>
    {
        json.WriteNumber("contentBlockIndex", _block);
        json.WriteStartObject("delta");
        write(json);
        json.WriteEndObject();
    });

    private static void Write(Utf8JsonWriter json, string kind, string name, string text)
    {
        json.WriteStartObject(kind);
        json.WriteString(name, text);
        json.WriteEndObject();
    }
}
