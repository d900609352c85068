using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Penstock.Upstream.Anthropic;

/// <summary>Events of a messages stream, each with its <c>event:</c> line; a ping follows the first.</summary>
internal sealed class AnthropicStream(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) : IStreamWriter
{
    private int _block = -1;
    private (StepKind Kind, int Call)? _open;

    public byte[] Start() =>
    [
        .. Event("message_start", json =>
        {
            json.WriteStartObject("message");
            AnthropicVendor.WriteHead(json, ask, exchange);
            json.WriteStartArray("content");
            json.WriteEndArray();
            json.WriteNull("stop_reason");
            json.WriteNull("stop_sequence");
            if (usage is { } counts) AnthropicVendor.WriteUsage(json, counts with { Reasoning = 0 }, Math.Min(1, counts.TotalOutput));
            json.WriteEndObject();
        }),
        .. Event("ping", _ => { }),
    ];

    public byte[] Step(Step step)
    {
        var kind = step.Kind switch { StepKind.CallArguments => StepKind.CallStart, StepKind.Refusal => StepKind.Text, var same => same };
        byte[] opened = _open == (kind, step.Call) ? [] : [.. CloseBlock(), .. OpenBlock(kind, step)];
        return step.Kind switch
        {
            // A tool without arguments has no delta at all.
            StepKind.CallStart => opened,
            StepKind.CallArguments => [.. opened, .. Delta("input_json_delta", "partial_json", step.Text)],
            StepKind.Thinking => [.. opened, .. Delta("thinking_delta", "thinking", step.Text)],
            _ => [.. opened, .. Delta("text_delta", "text", step.Text)],
        };
    }

    public byte[] Unknown() => Event("added_later", json => json.WriteString("note", "clients must tolerate this"));

    public byte[] Malformed() => Encoding.UTF8.GetBytes("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"del\n\n");

    public byte[] Error() => Event("error", json => AnthropicVendor.WriteErrorDetail(json, AnthropicVendor.Overloaded()));

    public byte[] End() =>
    [
        .. CloseBlock(),
        .. Event("message_delta", json =>
        {
            json.WriteStartObject("delta");
            AnthropicVendor.WriteEnding(json, answer);
            json.WriteEndObject();
            if (usage is { } counts) WriteDeltaUsage(json, counts);
        }),
        .. Event("message_stop", _ => { }),
    ];

    private byte[] OpenBlock(StepKind kind, Step step)
    {
        _open = (kind, step.Call);
        _block++;
        return Event("content_block_start", json =>
        {
            json.WriteNumber("index", _block);
            json.WritePropertyName("content_block");
            if (kind == StepKind.CallStart) AnthropicVendor.WriteCall(json, AnthropicVendor.CallId(exchange, step.Call), step.Text, "");
            else if (kind == StepKind.Thinking) AnthropicVendor.WriteThinking(json, "", "");
            else AnthropicVendor.WriteText(json, "");
        });
    }

    private byte[] CloseBlock()
    {
        if (_open is not { } open) return [];
        _open = null;
        byte[] signed = open.Kind == StepKind.Thinking ? Delta("signature_delta", "signature", AnthropicVendor.Signature) : [];
        return [.. signed, .. Event("content_block_stop", json => json.WriteNumber("index", _block))];
    }

    private byte[] Delta(string type, string name, string text) => Event("content_block_delta", json =>
    {
        json.WriteNumber("index", _block);
        json.WriteStartObject("delta");
        json.WriteString("type", type);
        json.WriteString(name, text);
        json.WriteEndObject();
    });

    private void WriteDeltaUsage(Utf8JsonWriter json, BilledTokens counts)
    {
        json.WriteStartObject("usage");
        if (!ask.Has("bare-delta"))
        {
            json.WriteNumber("input_tokens", counts.Input);
            json.WriteNumber("cache_creation_input_tokens", counts.CacheWrite5m + counts.CacheWrite1h);
            json.WriteNumber("cache_read_input_tokens", counts.CacheRead);
        }

        json.WriteNumber("output_tokens", counts.TotalOutput);
        AnthropicVendor.WriteThinkingTokens(json, counts);
        json.WriteEndObject();
    }

    private static byte[] Event(string name, Action<Utf8JsonWriter> write) =>
    [
        .. Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"event: {name}\ndata: ")),
        .. Exchange.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("type", name);
            write(json);
            json.WriteEndObject();
        }),
        .. "\n\n"u8,
    ];
}
