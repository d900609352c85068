using System.Globalization;
using System.Text;

namespace Penstock.Bench.Gateway;

/// <summary>How the sample call is asked for.</summary>
internal enum Asked
{
    Whole,

    /// <summary>As a stream of 20 words, one every 10 ms.</summary>
    Streamed,

    /// <summary>As a stream of 20 words, one a second.</summary>
    Slowly,
}

/// <summary>The one call that everything here sends, and its one answer: an OpenAI chat call of usual size.</summary>
internal static class Sample
{
    public const string Path = "/v1/chat/completions";

    /// <summary>Digits of the number that makes each prompt another.</summary>
    public const int Digits = 12;

    /// <summary>Content frames of a streamed answer.</summary>
    public const int Frames = 20;

    /// <summary>In the first frame that holds content.</summary>
    public static readonly byte[] FirstWord = " water"u8.ToArray();

    /// <summary>In the last.</summary>
    public static readonly byte[] Last = "[DONE]"u8.ToArray();

    public const string Answer = """
        {"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion","created":1764000000,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"A penstock is the gate that meters water into a turbine. It opens as far as the turbine needs, closes when the load is gone, and every drop that passes is counted. Nothing flows around it.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":83,"completion_tokens":43,"total_tokens":126,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_b376dfbbd5"}
        """;

    private const string Instructions = "You answer questions of engineers about hydraulic structures. Be brief, name units, and say so when you do not know. Never invent figures.";

    private const string Question = "What is a penstock, what does it do in a power station, and what would happen without one? Three sentences are enough.";

    /// <summary>What stands before the number and after it, as it goes over the wire.</summary>
    public static (string Head, string Tail) Request(Contender to, Asked how)
    {
        var (port, model, headers, more) = how == Asked.Whole
            ? (to.Port, to.Model.Whole, to.Headers, "")
            : (to.StreamPort, to.Model.Stream, to.StreamHeaders, ""","stream":true,"stream_options":{"include_usage":true}""" + (how == Asked.Slowly ? ",\"user\":\"slowly\"" : ""));
        var before = $$"""{"model":"{{model}}","messages":[{"role":"system","content":"{{Instructions}}"},{"role":"user","content":"Question """;
        var after = $$""": {{Question}}"}],"temperature":0.2,"max_tokens":256{{more}}}""";
        var head = new StringBuilder();
        head.Append(CultureInfo.InvariantCulture, $"POST {Path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nAccept: application/json\r\n");
        foreach (var (name, value) in headers) head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        head.Append(CultureInfo.InvariantCulture, $"Content-Length: {Encoding.UTF8.GetByteCount(before) + Digits + Encoding.UTF8.GetByteCount(after)}\r\n\r\n{before}");
        return (head.ToString(), after);
    }

    public static string Frame(int number) => number switch
    {
        0 => """data: {"id":"chatcmpl-B9MHDbslf","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}""" + "\n\n",
        <= Frames => """data: {"id":"chatcmpl-B9MHDbslf","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{"content":" water"},"logprobs":null,"finish_reason":null}],"usage":null}""" + "\n\n",
        Frames + 1 => """data: {"id":"chatcmpl-B9MHDbslf","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}""" + "\n\n",
        _ => """data: {"id":"chatcmpl-B9MHDbslf","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","choices":[],"usage":{"prompt_tokens":83,"completion_tokens":20,"total_tokens":103}}""" + "\n\ndata: [DONE]\n\n",
    };
}
