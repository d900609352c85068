using System.Text;
using Penstock.Gateway;
using Penstock.Providers.Anthropic;
using Penstock.Providers.Http;
using Penstock.Providers.OpenAi;

namespace Penstock.Tests.Gateway.Guarding;

/// <summary>A vendor's own bytes, read as the adapter reads them.</summary>
internal static class VendorFrames
{
    public static ProviderFrame[] OpenAi(ProviderCall call, IEnumerable<string> events)
    {
        var reader = new OpenAiAnswer(call, new OpenAiFaults("openai", null, TimeProvider.System));
        return [.. events.Append("[DONE]").Select(data => reader.Read(new UpstreamEvent("message", Encoding.UTF8.GetBytes(data)))!.Value)];
    }

    public static ProviderFrame OpenAiWhole(ProviderCall call, string body) => new OpenAiAnswer(call, new OpenAiFaults("openai", null, TimeProvider.System)).Whole(Encoding.UTF8.GetBytes(body), asStream: false);

    public static ProviderFrame[] Anthropic(IEnumerable<string> events)
    {
        var reader = new AnthropicStreamReader(Failures());
        return [.. events.Select(data => reader.Read(new UpstreamEvent("message", Encoding.UTF8.GetBytes(data))))];
    }

    public static ProviderFrame AnthropicWhole(string body) => AnthropicAnswerReader.ReadWhole(Encoding.UTF8.GetBytes(body), Failures());

    public static string Chunk(string delta, string finish = "null", int choice = 0, string more = "") =>
        $$"""{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"delta":{{delta}},"index":{{choice}},"finish_reason":{{finish}}}]{{more}}}""";

    public static string Delta(string field, string text) => $$"""{"{{field}}":{{System.Text.Json.JsonSerializer.Serialize(text)}}}""";

    public static string ToolDelta(int index, string arguments, string more = "") => $$$"""{"tool_calls":[{"index":{{{index}}}{{{more}}},"function":{"arguments":{{{System.Text.Json.JsonSerializer.Serialize(arguments)}}}}}]}""";

    public static string Block(int index, string type, string member, string text) =>
        $$$"""{"type":"content_block_delta","index":{{{index}}},"delta":{"type":"{{{type}}}","{{{member}}}":{{{System.Text.Json.JsonSerializer.Serialize(text)}}}}}""";

    public const string MessageStart = """{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}""";

    public const string MessageEnd = """{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}""";

    public const string MessageStop = """{"type":"message_stop"}""";

    private static AnthropicFailures Failures() => new(new ProviderSettings("anthropic", "anthropic", null, null), TimeProvider.System);
}
