using System.Text.Json;

namespace Penstock.Lambda.Tests;

/// <summary>Tools that functions carry out, over the real Invoke and Runtime APIs: the same contract, the same authority, and money once.</summary>
public sealed class ToolFunctionTests(ToolGateway gateway) : IClassFixture<ToolGateway>
{
    [Fact]
    public async Task A_tool_in_a_function_answers_as_it_does_here_and_its_model_is_booked_once()
    {
        var before = gateway.ToolUpstream.Seen.Count;
        var (status, body) = await gateway.CallAsync("POST", "/v1/tools/summarize", """{"text": "A penstock is the gate that meters water into a turbine. It is old."}""");

        Assert.Equal(200, status);
        Assert.Equal("summarize", body.GetProperty("tool").GetString());
        Assert.NotEqual(JsonValueKind.Undefined, body.GetProperty("output").GetProperty("text").ValueKind);
        // The function asked the model, and nobody here did.
        Assert.Equal(before + 1, gateway.ToolUpstream.Seen.Count);
        Assert.Empty(gateway.Upstream.Seen.All());
        var (_, usage) = await gateway.CallAsync("GET", "/v1/usage/attempts?limit=100");
        var row = Assert.Single(usage.GetProperty("attempts").EnumerateArray(), row => row.GetRawText().Contains("/v1/tools/", StringComparison.Ordinal));
        Assert.Equal(row.GetProperty("cost").GetDecimal(), body.GetProperty("cost").GetDecimal());
        var (name, payload) = Assert.Single(gateway.Invokes.Seen, seen => seen.Function.StartsWith("arn:", StringComparison.Ordinal));
        Assert.Equal("arn:aws:lambda:eu-central-1:123456789012:function:summarize:live", name);
        var sent = JsonDocument.Parse(payload).RootElement;
        Assert.StartsWith("call_", sent.GetProperty("idempotencyKey").GetString(), StringComparison.Ordinal);
        Assert.Equal(row.GetProperty("requestId").GetString(), sent.GetProperty("request").GetString());
        // Who calls is named, and what opens the door is not sent on.
        Assert.DoesNotContain(gateway.AdminKey.Split('-')[^1], payload, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("calculator", """{"expression": "1+1"}""", 503, "tool_unavailable", "429 TooManyRequestsException", 1)]
    [InlineData("search", """{"query": "a", "texts": ["a b"]}""", 503, "tool_unavailable", "404 ResourceNotFoundException", 1)]
    [InlineData("extract", """{"text": "a", "fields": ["name"]}""", 502, "tool_failed", "Runtime.ExitError", 2)]
    [InlineData("classify", """{"text": "a", "labels": ["x", "y"]}""", 502, "tool_failed", "500 ServiceException", 2)]
    public async Task What_keeps_a_function_from_answering_is_told_as_it_is(string tool, string arguments, int status, string code, string says, int sends)
    {
        var end = await gateway.InvokeAsync(gateway.Url("POST", $"/v1/tools/{tool}", arguments));

        var answer = JsonDocument.Parse(end.Body).RootElement;
        var body = answer.GetProperty("body").GetString()!;
        Assert.Equal(status, answer.GetProperty("statusCode").GetInt32());
        Assert.Equal(code, JsonDocument.Parse(body).RootElement.GetProperty("code").GetString());
        Assert.Contains(says, body, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", body, StringComparison.Ordinal);
        if (tool == "calculator") Assert.Equal("7", answer.GetProperty("headers").GetProperty("retry-after").GetString());
        // These tools change nothing, so that what failed may be tried once more; what was refused is left to whoever asked.
        Assert.Equal(sends, gateway.Invokes.Seen.Count(seen => seen.Payload.Contains($"\"tool\":\"{tool}\"", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_tools_function_asks_the_store_who_calls()
    {
        var (_, made) = await gateway.CallAsync("POST", "/v1/auth/keys", """{"name": "short", "scopes": ["ai:complete"]}""");
        var refused = await gateway.InvokeToolAsync(Call("summarize", made.GetProperty("keyId").GetString()!));
        var unknown = await gateway.InvokeToolAsync(Call("summarize", "nobody"));
        var other = await gateway.InvokeToolAsync(Call("calculator", "nobody"));

        Assert.Contains("missing_scope", refused.Text, StringComparison.Ordinal);
        Assert.Contains("invalid_api_key", unknown.Text, StringComparison.Ordinal);
        Assert.Contains("tool_not_found", other.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(gateway.ToolUpstream.Seen.All(), call => call.BodyText.Contains("never asked", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_tools_function_takes_nothing_else_but_is_warmed_up()
    {
        var request = await gateway.InvokeToolAsync(gateway.Url("GET", "/v1/health"));
        var warm = await gateway.InvokeToolAsync("""{"warmup":true}""");

        Assert.Equal("Penstock.UnknownEvent", request.ErrorType);
        Assert.Equal("\"warm\"", warm.Text);
    }

    private static string Call(string tool, string key) =>
        $$$"""{"penstock":"tool.call","tool":"{{{tool}}}","idempotencyKey":"call_1","request":"req_1","route":"/v1/tools/{name}","caller":{"tenant":"default","key":"{{{key}}}"},"arguments":{"text":"never asked"}}""";
}
