using System.Text.Json;

namespace Penstock.EndToEnd.Golden;

/// <summary>What the other side has no counterpart for is refused by the client's own name for it, before anybody is called.</summary>
public sealed class CrossingTests(GoldenPlatform platform) : IClassFixture<GoldenPlatform>
{
    private static readonly Dictionary<string, (string Route, string Model, string Messages)> Clients = new()
    {
        ["openai"] = ("/v1/chat/completions", "claude-haiku-4-5", """ "messages":[{"role":"user","content":"Hello"}] """),
        ["anthropic"] = ("/v1/messages", "gpt-4o-mini", """ "max_tokens":64,"messages":[{"role":"user","content":"Hello"}] """),
        ["native"] = ("/v1/complete", "", """ "messages":[{"role":"user","content":"Hello"}] """),
    };

    public static TheoryData<string, string, string, string> Fields() =>
        new(Crossings.All.Select(row => (row.Client, row.Model ?? Clients[row.Client].Model, row.Field, row.Members.Trim())));

    [Theory]
    [MemberData(nameof(Fields))]
    public async Task What_cannot_cross_is_refused_by_name(string client, string model, string field, string members)
    {
        var (route, _, messages) = Clients[client];
        if (members.Contains("\"messages\"", StringComparison.Ordinal)) messages = client == "anthropic" ? "\"max_tokens\":64" : "\"user\":\"u\"";
        var body = $$"""{"model":"{{model}}",{{messages}},{{members}}}""";
        var before = await BookedAsync();

        var answer = await platform.AskAsync(HttpText.Parse($"POST {route}\ncontent-type: application/json\nauthorization: Bearer {platform.Key}\n\n{body}"));

        Assert.True(answer.Start == "400", $"{answer.Start} {answer.Body}");
        Assert.Empty(platform.Upstream.TakeHeard());
        Assert.Equal(before, await BookedAsync());
        Assert.Equal("false", answer.Header("x-should-retry"));
        Named(client, field, JsonElement.Parse(answer.Body));
    }

    private static void Named(string client, string field, JsonElement body)
    {
        var error = client == "native" ? body : body.GetProperty("error");
        Assert.Contains($"'{field}'", error.GetProperty(client == "native" ? "detail" : "message").GetString(), StringComparison.Ordinal);
        switch (client)
        {
            case "openai":
                Assert.Equal(("invalid_request_error", field, "unsupported_by_target"), (error.GetProperty("type").GetString(), error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
                break;
            case "anthropic":
                Assert.Equal(("error", "invalid_request_error"), (body.GetProperty("type").GetString(), error.GetProperty("type").GetString()));
                break;
            default:
                Assert.Equal((field, "unsupported_by_target"), (body.GetProperty("field").GetString(), body.GetProperty("code").GetString()));
                break;
        }
    }

    private async Task<long> BookedAsync() => (await platform.Admin.GetAsync("/v1/usage")).GetProperty("requests").GetInt64();
}
