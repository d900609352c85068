namespace Penstock.EndToEnd.Running;

/// <summary>Requests that are answered, one for each route.</summary>
internal static class Samples
{
    public static string Body(string route) => route switch
    {
        "/v1/chat/completions" => """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}""",
        "/v1/messages" => """{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}""",
        "/v1/messages/count_tokens" => """{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"}]}""",
        "/v1/embeddings" or "/v1/embed" => """{"model":"text-embedding-3-small","input":["a","b"]}""",
        "/v1/complete" or "/v1/stream" => """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}""",
        "/v1/classify" => """{"text":"the river is high","labels":["flood","drought"],"model":"gpt-4o-mini"}""",
        "/v1/suggest" => """{"text":"the river is high","model":"gpt-4o-mini"}""",
        "/v1/extract" => """{"text":"the river is high","fields":["river"],"model":"gpt-4o-mini"}""",
        "/v1/summarise" or "/v1/summarize" => """{"text":"the river is high","model":"gpt-4o-mini"}""",
        "/mcp" => """{"jsonrpc":"2.0","id":1,"method":"tools/list"}""",
        "/v1/prompts" => Greeting.Source("Greet whoever writes."),
        "/v1/prompts/{name}/labels/{label}/rollback" => "{}",
        "/v1/agents/run" or "/v1/agents/stream" => """{"type":"classification","input":{"text":"the river is high","labels":["flood","drought"]}}""",
        "/v1/agents/runs/{id}/approvals/{call}" => """{"approved":true}""",
        "/v1/agents/runs/{id}/outcomes/{call}" => """{"done":false}""",
        "/v1/agents/runs/{id}/signal" => """{"name":"paid"}""",
        "/v1/agents/runs/{id}/fork" => """{"from":1}""",
        "/v1/agents/runs/{id}/cancel" or "/v1/agents/runs/{id}/redrive" => "{}",
        "/v1/jobs" => $$"""{"request":{"path":"/v1/complete","body":{{Body("/v1/complete")}} } }""",
        "/v1/jobs/{id}/cancel" or "/v1/admin/jobs/{id}/redrive" or "/v1/admin/jobs/redrive" => "{}",
        "/v1/agents/memory" => """{"text":"likes fish"}""",
        "/v1/tools/{name}" => """{"expression":"1 + 1"}""",
        "/ai" => """{"prompt":"hi"}""",
        "/v1/auth/keys" => """{"name":"n","scopes":["ai:complete"]}""",
        "/v1/auth/keys/{id}/rotate" => "{}",
        _ => throw new ArgumentOutOfRangeException(nameof(route), route, "has no sample; give it one"),
    };

    /// <summary>The same for every method; null where it takes no body. A budget that is set can be removed after it.</summary>
    public static string? Body(string method, string route) => (method, route) switch
    {
        ("POST", _) => Body(route),
        ("PUT", "/v1/prompts/{name}/labels/{label}") => """{"version":"summarise:production"}""",
        ("PUT", "/v1/usage/budget") => """{"scope":"user","name":"nobody","period":"day","limit":5}""",
        ("PUT", "/v1/auth/keys/{id}/providers/{provider}" or "/v1/auth/providers/{provider}") => """{"apiKey":"sk-a-key-at-a-provider"}""",
        ("DELETE", "/v1/usage/budget") => """{"scope":"user","name":"nobody","period":"day"}""",
        _ => null,
    };

    /// <summary>A chat whose last user text is <paramref name="text"/>, in the dialect of <paramref name="route"/>.</summary>
    public static string Chat(string route, string text, bool stream = false, string? model = null)
    {
        var max = route == "/v1/messages" ? "\"max_tokens\":4000," : "";
        var flag = stream && route != "/v1/stream" ? "\"stream\":true," : "";
        return $$"""{"model":"{{model ?? "gpt-4o-mini"}}",{{max}}{{flag}}"messages":[{"role":"user","content":"{{text}}"}]}""";
    }
}
