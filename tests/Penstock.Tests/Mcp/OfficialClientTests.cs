using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Penstock.Gateway;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Mcp;

/// <summary>The official C# client, which tries the revision without a handshake first.</summary>
public sealed class OfficialClientTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData(null, "2026-07-28")]
    [InlineData("2025-11-25", "2025-11-25")]
    [InlineData("2025-06-18", "2025-06-18")]
    public async Task A_client_of_each_revision_lists_and_calls(string? asked, string agreed)
    {
        _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, """{"label": "good"}"""), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(10, 5), true)], Last: true));
        await using var client = await ConnectAsync(asked);

        Assert.Equal<(string?, string?)>((agreed, "penstock"), (client.NegotiatedProtocolVersion, client.ServerInfo?.Name));
        Assert.Equal(["classify", "extract", "summarise"], (await client.ListToolsAsync(cancellationToken: Ct)).Select(tool => tool.Name));
        var result = await client.CallToolAsync("classify", new Dictionary<string, object?> { ["text"] = "x", ["labels"] = new[] { "good", "bad" } }, cancellationToken: Ct);

        Assert.NotEqual(true, result.IsError);
        Assert.Equal("good", result.StructuredContent!.Value.GetProperty("label").GetString());
        Assert.Equal("/mcp", (await _host.RowAsync()).Route);
    }

    [Fact]
    public async Task A_refused_call_is_a_result_and_an_unknown_tool_an_error()
    {
        await using var client = await ConnectAsync(null);

        var refused = await client.CallToolAsync("summarise", cancellationToken: Ct);
        Assert.True(refused.IsError);
        Assert.Equal("'text' is required.", Assert.IsType<TextContentBlock>(Assert.Single(refused.Content)).Text);
        await Assert.ThrowsAnyAsync<McpException>(async () => await client.CallToolAsync("paint", cancellationToken: Ct));
    }

    private Task<McpClient> ConnectAsync(string? version) => McpClient.CreateAsync(
        new HttpClientTransport(new HttpClientTransportOptions
        {
            Endpoint = new Uri(_host.Address, "/mcp"),
            TransportMode = HttpTransportMode.StreamableHttp,
            AdditionalHeaders = new Dictionary<string, string> { ["Authorization"] = $"Bearer {GatewayHost.OperatorKey}" },
        }),
        new McpClientOptions { ProtocolVersion = version },
        cancellationToken: Ct);
}
