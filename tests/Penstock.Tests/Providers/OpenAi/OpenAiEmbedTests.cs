using Penstock.Gateway;
using Penstock.Providers.Http;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Providers.OpenAi;

public sealed class OpenAiEmbedTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Vectors_come_back_in_the_order_of_the_inputs_whatever_their_order_on_the_wire()
    {
        await using var server = new ReplayServer(ReplayServer.Json(
            "{\"data\":[{\"index\":1,\"embedding\":\"AABAQJW/1jM=\"},{\"index\":0,\"embedding\":\"AAAAPwAAoL8=\"}],\"model\":\"text-embedding-3-small\",\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}"));
        using var connections = new UpstreamConnections();

        var answer = await OpenAiCalls.Provider(server.Url, connections).EmbedAsync(new EmbedCall("m", ["a", "\"ü\""], 2, "u", OpenAiCalls.Attempt), Ct);

        Assert.Equal([[0.5f, -1.25f], [3f, 1e-7f]], answer.Vectors);
        Assert.Equal(("text-embedding-3-small", TokenCounts.Of(9, 0), false), (answer.Model, answer.Tokens, answer.Estimated));
        var request = Assert.Single(server.Requests);
        Assert.Equal("POST /v1/embeddings HTTP/1.1", request.Line);
        Assert.Equal("{\"model\":\"m\",\"input\":[\"a\",\"\\\"ü\\\"\"],\"encoding_format\":\"base64\",\"dimensions\":2,\"user\":\"u\"}", request.Text);
    }

    [Fact]
    public async Task A_server_that_answers_in_digits_without_usage_is_understood()
    {
        var answer = await EmbedAsync("{\"data\":[{\"embedding\":[0.5,-1.25]},{\"embedding\":[3,1e-7]}]}");

        Assert.Equal([[0.5f, -1.25f], [3f, 1e-7f]], answer.Vectors);
        Assert.Equal(("m", true), (answer.Model, answer.Estimated));
        Assert.Equal(2, answer.Tokens.Total);
    }

    [Theory]
    [InlineData("{\"data\":[{\"embedding\":[1]}]}")]
    [InlineData("{\"data\":[{\"embedding\":[1]},{\"embedding\":[1]},{\"embedding\":[1]}]}")]
    [InlineData("{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}")]
    [InlineData("{\"data\":[{\"embedding\":[1]},{\"embedding\":[]}]}")]
    [InlineData("{\"data\":[{\"embedding\":[1]},{\"embedding\":\"AAAA\"}]}")]
    [InlineData("{\"data\":[{\"embedding\":[1]},{\"embedding\":\"not base64\"}]}")]
    [InlineData("{\"data\":[{\"embedding\":[1]},{\"embedding\":\"AADAfw==\"}]}")]
    [InlineData("{\"data\":[{\"embedding\":[1]},{\"embedding\":[1e99]}]}")]
    [InlineData("{\"data\":[{\"embedding\":[1]},{\"embedding\":[\"1\"]}]}")]
    [InlineData("{\"data\":[{\"embedding\":[1]},7]}")]
    [InlineData("{\"data\":{}}")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("no")]
    public async Task An_answer_that_is_no_vector_for_each_input_is_a_failure(string body) =>
        Assert.Equal(ProviderFault.Broken, (await Assert.ThrowsAsync<ProviderException>(() => EmbedAsync(body))).Fault);

    [Fact]
    public async Task Tokens_are_counted_without_a_call()
    {
        using var connections = new UpstreamConnections();

        var count = await OpenAiCalls.Provider(new Uri("http://127.0.0.1:1/v1"), connections).CountAsync(OpenAiCalls.Hello.To(), Ct);

        Assert.InRange(count.Tokens, 5, 15);
    }

    private static async Task<EmbedAnswer> EmbedAsync(string body)
    {
        await using var server = new ReplayServer(ReplayServer.Json(body));
        using var connections = new UpstreamConnections();
        return await OpenAiCalls.Provider(server.Url, connections).EmbedAsync(new EmbedCall("m", ["a", "b"], null, null, OpenAiCalls.Attempt), Ct);
    }
}
