namespace Penstock.Tests.Gateway.Guarding;

/// <summary>A request of every route that reads a prompt, with a card's number wherever there may be text.</summary>
internal static class GuardedRequests
{
    public static string Of(string route, string card) => Prompts[route].Replace("CARD", card, StringComparison.Ordinal);

    /// <summary>CARD stands in every place that is text.</summary>
    private static readonly Dictionary<string, string> Prompts = new()
    {
        ["/ai"] = """{"prompt": "CARD", "system": "CARD", "model": "gpt-4o-mini"}""",
        ["/v1/chat/completions"] = """
            {"model": "gpt-4o-mini", "user": "CARD", "metadata": {"id": "CARD"}, "tools": [{"type": "function", "function": {"name": "pay", "description": "CARD"}}],
             "messages": [{"role": "system", "content": "CARD"}, {"role": "user", "content": [{"type": "text", "text": "CARD"}, {"type": "image_url", "image_url": {"url": "https://x.org/4111"}}]},
              {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "pay", "arguments": "{\"url\": \"CARD\", \"n\": 4111111111111111}"}}]}, {"role": "tool", "tool_call_id": "1", "content": "CARD"}]}
            """,
        ["/v1/messages"] = """
            {"model": "claude-haiku-4-5", "max_tokens": 9, "metadata": {"user_id": "CARD"}, "system": [{"type": "text", "text": "CARD", "cache_control": {"type": "ephemeral"}}],
             "tools": [{"name": "pay", "description": "CARD", "input_schema": {"type": "object", "properties": {"url": {"type": "string", "description": "CARD"}}}}],
             "messages": [{"role": "user", "content": [{"type": "text", "text": "CARD"}, {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "CARD"}}]},
              {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "pay", "input": {"id": "CARD", "n": 4111111111111111}}]},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "CARD"}]}]}
            """,
        ["/v1/messages/count_tokens"] = """{"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "CARD"}]}""",
        ["/v1/complete"] = """{"model": "gpt-4o-mini", "systemPrompt": "CARD", "user": "CARD", "conversation": "CARD", "messages": [{"role": "user", "content": "CARD"}]}""",
        ["/v1/stream"] = """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": [{"type": "text", "text": "CARD"}]}]}""",
        ["/v1/classify"] = """{"text": "CARD", "labels": ["a", "b"], "model": "gpt-4o-mini"}""",
        ["/v1/suggest"] = """{"text": "CARD", "model": "gpt-4o-mini"}""",
        ["/v1/extract"] = """{"text": "CARD", "fields": ["label"], "model": "gpt-4o-mini"}""",
        ["/v1/summarise"] = """{"text": "CARD", "model": "gpt-4o-mini"}""",
        ["/v1/summarize"] = """{"text": "CARD", "model": "gpt-4o-mini"}""",
        ["/mcp"] = """{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "summarise", "arguments": {"text": "CARD", "model": "gpt-4o-mini"}}}""",
        ["/v1/tools/{name}"] = """{"text": "CARD", "model": "gpt-4o-mini"}""",
        ["/v1/embed"] = """{"input": ["CARD"], "user": "CARD"}""",
        ["/v1/embeddings"] = """{"model": "text-embedding-3-small", "input": "CARD", "user": "CARD"}""",
    };
}
