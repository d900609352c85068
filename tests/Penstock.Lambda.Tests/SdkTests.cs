using System.ClientModel;
using OpenAI;
using OpenAI.Chat;
using Penstock.LambdaFront;

namespace Penstock.Lambda.Tests;

/// <summary>An official client, which knows nothing of Lambda, through each front. The suites of tests/clients can be run the same way: see Penstock.LambdaFront.</summary>
public sealed class SdkTests(StreamingFunction streaming, Function whole) : IClassFixture<StreamingFunction>, IClassFixture<Function>
{
    [Theory]
    [InlineData("FunctionUrl")]
    [InlineData("HttpApi")]
    [InlineData("Rest")]
    public async Task A_client_asks_and_streams_through_a_front(string kind)
    {
        var function = kind == nameof(FrontKind.HttpApi) ? whole : streaming;
        await using var front = await HttpFront.StartAsync(function.Lambda, Enum.Parse<FrontKind>(kind));
        var client = new ChatClient("gpt-4o-mini", new ApiKeyCredential(function.AdminKey), new OpenAIClientOptions { Endpoint = new Uri(front.Address, "v1") });

        var answer = await client.CompleteChatAsync([new UserChatMessage("grüße an alle")], cancellationToken: Wait.Token);
        var pieces = new List<string>();
        await foreach (var update in client.CompleteChatStreamingAsync([new UserChatMessage("one two three")], cancellationToken: Wait.Token)) pieces.AddRange(update.ContentUpdate.Select(part => part.Text));
        var refused = await Assert.ThrowsAsync<ClientResultException>(() => new ChatClient("no-such-model", new ApiKeyCredential(function.AdminKey), new OpenAIClientOptions { Endpoint = new Uri(front.Address, "v1") })
            .CompleteChatAsync([new UserChatMessage("hello")], cancellationToken: Wait.Token));

        Assert.Equal("You said: grüße an alle", answer.Value.Content[0].Text);
        Assert.Equal("You said: one two three", string.Concat(pieces));
        Assert.True(pieces.Count > 1);
        Assert.Equal(404, refused.Status);
    }
}
