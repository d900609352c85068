namespace Penstock.EndToEnd.Golden;

/// <summary>Every field that one dialect has and a provider of another has not.</summary>
/// <param name="Members">What a request says beside model and messages, or its messages as well.</param>
/// <param name="Field">As the client wrote it.</param>
/// <param name="Model">Null for the other vendor's.</param>
internal sealed record Crossing(string Client, string Field, string Members, string? Model = null);

internal static class Crossings
{
    private const string Tool = """ "tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}] """;

    public static IReadOnlyList<Crossing> All { get; } = [.. OpenAiSettings(), .. OpenAiMessages(), .. AnthropicSettings(), .. AnthropicMessages(), .. Native(), .. Here()];

    private static IEnumerable<Crossing> OpenAiSettings()
    {
        yield return new("openai", "temperature", """ "temperature":1.5 """);
        yield return new("openai", "n", """ "n":2 """);
        yield return new("openai", "seed", """ "seed":7 """);
        yield return new("openai", "logprobs", """ "logprobs":true """);
        yield return new("openai", "frequency_penalty", """ "frequency_penalty":0.5 """);
        yield return new("openai", "presence_penalty", """ "presence_penalty":-0.5 """);
        yield return new("openai", "response_format", """ "response_format":{"type":"json_object"} """);
        yield return new("openai", "response_format", """ "response_format":{"type":"grammar","grammar":"root ::= x"} """);
        yield return new("openai", "stop", """ "stop":["\n"] """);
        yield return new("openai", "store", """ "store":true """);
        yield return new("openai", "service_tier", """ "service_tier":"flex" """);
        yield return new("openai", "modalities", """ "modalities":["text","audio"] """);
        yield return new("openai", "logit_bias", """ "logit_bias":{"50256":-100} """);
        yield return new("openai", "metadata", """ "metadata":{"team":"a"} """);
        yield return new("openai", "audio", """ "audio":{"voice":"ash","format":"wav"} """);
        yield return new("openai", "prediction", """ "prediction":{"type":"content","content":"x"} """);
        yield return new("openai", "web_search_options", """ "web_search_options":{} """);
        yield return new("openai", "reasoning_effort", """ "reasoning_effort":"low" """);
        yield return new("openai", "verbosity", """ "verbosity":"low" """);
        yield return new("openai", "prompt_cache_key", """ "prompt_cache_key":"k" """);
        yield return new("openai", "safety_identifier", """ "safety_identifier":"u" """);
        yield return new("openai", "functions", """ "functions":[{"name":"look"}] """);
        yield return new("openai", "function_call", """ "function_call":"auto" """);
        yield return new("openai", "unheard_of", """ "unheard_of":1 """);
        yield return new("openai", "tools[0]", """ "tools":[{"type":"custom","custom":{"name":"look"}}] """);
        yield return new("openai", "tools[0].function.examples", """ "tools":[{"type":"function","function":{"name":"look","examples":["x"]}}] """);
        yield return new("openai", "tool_choice", Tool + """ ,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto"}} """);
        yield return new("openai", "stream_options.include_obfuscation", """ "stream":true,"stream_options":{"include_obfuscation":true} """);
    }

    private static IEnumerable<Crossing> OpenAiMessages()
    {
        yield return new("openai", "messages[0].name", """ "messages":[{"role":"user","name":"ann","content":"x"}] """);
        yield return new("openai", "messages[0].unheard_of", """ "messages":[{"role":"user","content":"x","unheard_of":1}] """);
        yield return new("openai", "messages[0].content[1]", """ "messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}] """);
        yield return new("openai", "messages[0].content[0]", """ "messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}] """);
        yield return new("openai", "messages[0].content[1].image_url.detail", """ "messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}}]}] """);
        yield return new("openai", "messages[0].content[0].image_url.url", """ "messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://example.com/a.png"}}]}] """);
        yield return new("openai", "messages[0].content[0].image_url.url", """ "messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/bmp;base64,AAAA"}}]}] """);
        yield return new("openai", "messages[1]", """ "messages":[{"role":"user","content":"x"},{"role":"function","name":"look","content":"y"}] """);
        yield return new("openai", "messages[1].function_call", """ "messages":[{"role":"user","content":"x"},{"role":"assistant","function_call":{"name":"look","arguments":"{}"}}] """);
        yield return new("openai", "messages[1].audio", """ "messages":[{"role":"user","content":"x"},{"role":"assistant","audio":{"id":"a"}}] """);
        yield return new("openai", "messages[1].tool_calls[0]", """ "messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"look","input":"x"}}]}] """);
        yield return new("openai", "messages[1].tool_calls[1].function.arguments", """ "messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"look","arguments":"{}"}},{"id":"d","type":"function","function":{"name":"look","arguments":"{cut"}}]}] """);
        yield return new("openai", "messages", """ "messages":[{"role":"system","content":"x"}] """);
    }

    private static IEnumerable<Crossing> AnthropicSettings()
    {
        yield return new("anthropic", "top_k", """ "top_k":40 """);
        yield return new("anthropic", "stop_sequences", """ "stop_sequences":["a","b","c","d","e"] """);
        yield return new("anthropic", "thinking", """ "thinking":{"type":"enabled","budget_tokens":1024} """);
        yield return new("anthropic", "service_tier", """ "service_tier":"standard_only" """);
        yield return new("anthropic", "container", """ "container":"c" """);
        yield return new("anthropic", "context_management", """ "context_management":{"edits":[]} """);
        yield return new("anthropic", "mcp_servers", """ "mcp_servers":[{"type":"url","url":"https://example.com","name":"m"}] """);
        yield return new("anthropic", "output_config.effort", """ "output_config":{"effort":"low"} """);
        yield return new("anthropic", "metadata.team", """ "metadata":{"team":"a"} """);
        yield return new("anthropic", "unheard_of", """ "unheard_of":1 """);
        yield return new("anthropic", "tools[0]", """ "tools":[{"type":"web_search_20250305","name":"web_search"}] """);
        yield return new("anthropic", "tools[0].input_examples", """ "tools":[{"name":"look","input_schema":{"type":"object"},"input_examples":[{}]}] """);
    }

    private static IEnumerable<Crossing> AnthropicMessages()
    {
        yield return new("anthropic", "messages[0].unheard_of", """ "messages":[{"role":"user","content":"x","unheard_of":1}] """);
        yield return new("anthropic", "messages[0].content[0]", """ "messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}]}] """);
        yield return new("anthropic", "messages[0].content[0].source", """ "messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}] """);
        yield return new("anthropic", "system[0].citations", """ "system":[{"type":"text","text":"x","citations":[{"type":"char_location"}]}] """);
        yield return new("anthropic", "messages[1].content[0]", """ "messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}] """);
        yield return new("anthropic", "messages[1].content[1]", """ "messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":"y"},{"type":"redacted_thinking","data":"ZGF0YQ=="}]},{"role":"user","content":"z"}] """);
        yield return new("anthropic", "messages[2].content[1].content[1]", """ "messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"look","input":{}},{"type":"tool_use","id":"b","name":"look","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"y"},{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"y"},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]}]}] """);
    }

    private static IEnumerable<Crossing> Here()
    {
        const string Local = "local";
        yield return new("openai", "n", """ "n":2 """, Local);
        yield return new("openai", "logprobs", """ "logprobs":true """, Local);
        yield return new("openai", "metadata", """ "metadata":{"team":"a"} """, Local);
        yield return new("openai", "response_format.json_schema.schema.properties.a.pattern", """ "response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"a":{"type":"string","pattern":"^x"}}}}} """, Local);
        yield return new("openai", "messages", """ "messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}] """, Local);
        yield return new("anthropic", "thinking", """ "thinking":{"type":"enabled","budget_tokens":1024} """, Local);
        yield return new("anthropic", "messages", """ "messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}] """, Local);
        yield return new("openai", "n", """ "n":2 """, "simulated");
        yield return new("anthropic", "messages[0].content[0]", """ "messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}]}] """, "simulated");
    }

    private static IEnumerable<Crossing> Native()
    {
        const string Claude = "claude-haiku-4-5";
        const string Gpt = "gpt-4o-mini";
        yield return new("native", "temperature", """ "temperature":1.5 """, Claude);
        yield return new("native", "seed", """ "seed":7 """, Claude);
        yield return new("native", "frequencyPenalty", """ "frequencyPenalty":1 """, Claude);
        yield return new("native", "presencePenalty", """ "presencePenalty":1 """, Claude);
        yield return new("native", "responseFormat", """ "responseFormat":{"type":"json"} """, Claude);
        yield return new("native", "stop", """ "stop":[" "] """, Claude);
        yield return new("native", "messages[0].name", """ "systemPrompt":"Be brief.","messages":[{"role":"user","name":"ann","content":"x"}] """, Claude);
        yield return new("native", "messages", """ "systemPrompt":"Be brief.","messages":[{"role":"system","content":"x"}] """, Claude);
        yield return new("native", "topK", """ "topK":40 """, Gpt);
        yield return new("native", "stop", """ "stop":["a","b","c","d","e"] """, Gpt);
        yield return new("native", "messages[2].content[0]", """ "systemPrompt":"Be brief.","messages":[{"role":"user","content":"x"},{"role":"assistant","toolCalls":[{"id":"a","name":"look"}]},{"role":"tool","toolCallId":"a","content":[{"type":"image","url":"https://example.com/a.png"}]}] """, Gpt);
    }
}
