using System.Buffers;
using System.Text;

namespace Penstock.Upstream;

/// <summary>A chat route for load tests: constant bytes, nothing parsed, nothing noted.</summary>
internal sealed class FastRoute
{
    private const string Head = "\"id\":\"chatcmpl-fast\",\"created\":1735689600,\"model\":\"gpt-4o-mini\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_fast\"";
    private const string Usage = "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":16,\"total_tokens\":26,\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}";
    private const int Tokens = 16;

    private static readonly byte[] Whole = Encoding.UTF8.GetBytes(
        $$"""{{{Head}},"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"{{string.Concat(Enumerable.Repeat("tok ", Tokens))}}","refusal":null},"logprobs":null,"finish_reason":"stop"}],{{Usage}}}""");

    private static readonly byte[] Events = Encoding.UTF8.GetBytes(MakeEvents());

    private long _calls;

    public long Calls => Interlocked.Read(ref _calls);

    public async Task HandleAsync(HttpContext http)
    {
        Interlocked.Increment(ref _calls);
        var streamed = await AsksForStreamAsync(http);
        var bytes = streamed ? Events : Whole;
        http.Response.ContentType = streamed ? "text/event-stream; charset=utf-8" : "application/json";
        if (!streamed) http.Response.ContentLength = bytes.Length;
        await http.Response.BodyWriter.WriteAsync(bytes);
    }

    /// <summary>Looks for <c>"stream":true</c> as compact JSON has it.</summary>
    private static async Task<bool> AsksForStreamAsync(HttpContext http)
    {
        var reader = http.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(http.RequestAborted);
            if (!read.IsCompleted)
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }

            var body = read.Buffer.IsSingleSegment ? read.Buffer.FirstSpan : read.Buffer.ToArray();
            var streamed = body.IndexOf("\"stream\":true"u8) >= 0 || body.IndexOf("\"stream\": true"u8) >= 0;
            reader.AdvanceTo(read.Buffer.End);
            return streamed;
        }
    }

    private static string MakeEvents()
    {
        var events = new StringBuilder();
        for (var token = 0; token < Tokens; token++) events.Append(Chunk(token == 0 ? "\"role\":\"assistant\",\"content\":\"tok \"" : "\"content\":\"tok \"", "null"));
        return events
            .Append(Chunk("", "\"stop\""))
            .Append($$"""data: {{{Head}},"object":"chat.completion.chunk","choices":[],{{Usage}}}""").Append("\n\ndata: [DONE]\n\n").ToString();
    }

    private static string Chunk(string delta, string finish) =>
        $$"""data: {{{Head}},"object":"chat.completion.chunk","choices":[{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":{{finish}}}],"usage":null}""" + "\n\n";
}
