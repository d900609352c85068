using System.Text.Json;

namespace Penstock.Upstream.OpenAi;

/// <summary>Chunks of a chat stream: <c>data: {…}</c> and an empty line each, <c>[DONE]</c> last.</summary>
internal sealed class OpenAiStream(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) : IStreamWriter
{
    public byte[] Start()
    {
        var content = answer.Ending is Ending.ToolCalls or Ending.Refusal ? null : "";
        return Join(Enumerable.Range(0, ask.Choices).Select(choice => Chunk(choice, json =>
        {
            json.WriteString("role", "assistant");
            json.WriteString("content", content);
            json.WriteNull("refusal");
        })));
    }

    public byte[] Step(Step step) => step.Kind switch
    {
        // Reasoning is billed here but not shown.
        StepKind.Thinking => [],
        StepKind.Text => Chunk(step.Choice, json => json.WriteString("content", step.Text), logprob: step.Text),
        StepKind.Refusal => Chunk(step.Choice, json => json.WriteString("refusal", step.Text)),
        StepKind.CallStart when HasArguments(step) || ask.Has("empty-args") => Call(step, step.Text, ""),
        StepKind.CallStart => [.. Call(step, step.Text, ""), .. Call(step, null, "{}")],
        _ => Call(step, null, step.Text),
    };

    public byte[] Unknown() => Event(json =>
    {
        json.WriteStartObject();
        OpenAiVendor.WriteHead(json, ask, exchange, "chat.completion.chunk");
        json.WriteStartArray("choices");
        json.WriteEndArray();
        json.WriteString("added_later", "kept");
        json.WriteEndObject();
    });

    public byte[] Malformed() => "data: {\"id\":\"chatcmpl-broken\",\"object\":\"chat.comp\n\n"u8.ToArray();

    public byte[] Error() => Event(json => OpenAiVendor.WriteError(json, OpenAiVendor.InStream()));

    public byte[] End()
    {
        var finish = Join(Enumerable.Range(0, ask.Choices).Select(choice => Chunk(choice, _ => { }, finish: OpenAiVendor.EndingOf(answer))));
        byte[] last = ask.IncludeUsage && usage is { } counts ? UsageChunk(counts) : [];
        return [.. finish, .. last, .. "data: [DONE]\n\n"u8];
    }

    private bool HasArguments(Step start) => answer.Steps.Any(step => step.Kind == StepKind.CallArguments && step.Choice == start.Choice && step.Call == start.Call);

    private byte[] Call(Step step, string? name, string arguments) => Chunk(step.Choice, json =>
    {
        json.WriteStartArray("tool_calls");
        json.WriteStartObject();
        json.WriteNumber("index", step.Call);
        if (name is not null)
        {
            json.WriteString("id", OpenAiVendor.CallId(exchange, step.Choice, step.Call));
            json.WriteString("type", "function");
        }

        json.WriteStartObject("function");
        if (name is not null) json.WriteString("name", name);
        json.WriteString("arguments", arguments);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
    });

    private byte[] Chunk(int choice, Action<Utf8JsonWriter> writeDelta, string? finish = null, string? logprob = null) => Event(json =>
    {
        json.WriteStartObject();
        OpenAiVendor.WriteHead(json, ask, exchange, "chat.completion.chunk");
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", choice);
        json.WriteStartObject("delta");
        writeDelta(json);
        json.WriteEndObject();
        WriteLogprobs(json, logprob);
        json.WriteString("finish_reason", finish);
        json.WriteEndObject();
        json.WriteEndArray();
        if (ask.IncludeUsage) json.WriteNull("usage");
        if (ask.Obfuscate) json.WriteString("obfuscation", "padding");
        json.WriteEndObject();
    });

    private void WriteLogprobs(Utf8JsonWriter json, string? token)
    {
        if (!ask.Logprobs || token is null)
        {
            json.WriteNull("logprobs");
            return;
        }

        json.WriteStartObject("logprobs");
        json.WriteStartArray("content");
        OpenAiVendor.WriteLogprob(json, token, ask.TopLogprobs);
        json.WriteEndArray();
        json.WriteNull("refusal");
        json.WriteEndObject();
    }

    private byte[] UsageChunk(BilledTokens counts) => Event(json =>
    {
        json.WriteStartObject();
        OpenAiVendor.WriteHead(json, ask, exchange, "chat.completion.chunk");
        json.WriteStartArray("choices");
        json.WriteEndArray();
        OpenAiVendor.WriteUsage(json, counts);
        json.WriteEndObject();
    });

    private static byte[] Event(Action<Utf8JsonWriter> write) => [.. "data: "u8, .. Exchange.Json(write), .. "\n\n"u8];

    private static byte[] Join(IEnumerable<byte[]> parts) => [.. parts.SelectMany(part => part)];
}
