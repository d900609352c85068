using System.Text;
using Penstock.Agents.Socket;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>Memory is the whole process': while it is measured, nothing else runs.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class MeasuredAlone
{
    public const string Name = "measured alone";
}

[Collection(MeasuredAlone.Name)]
public sealed class RunSocketMemoryTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await AgentHost.StartAsync(times: new SocketTimes { Send = TimeSpan.FromSeconds(2) });

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_reader_that_stops_reading_costs_no_memory_and_goes_on_later_where_it_was()
    {
        var run = await _host.RunAsync();
        var owner = await ScriptedOwner.OfAsync(_host, run);
        var output = $$"""{"text":"{{new string('x', 250_000)}}"}""";
        for (var step = 0; step < 200; step++) await owner.StepAsync($"c{step}", output);
        await owner.EndAsync();
        await using var slow = await SocketClient.ReadyAsync(_host);
        await slow.SendAsync($$"""{"id":1,"type":"subscribe","run":"{{run}}"}""");
        Assert.Equal("subscribed", (await slow.ReadAsync()).GetProperty("type").GetString());
        var (text, last) = (new StringBuilder(), "");
        for (var i = 0; i < 5; i++) (_, last) = (text.Append(await slow.EventAsync()), EventText.Received(Encoding.UTF8.GetBytes(text.ToString())).LastId!);

        // 50 MB wait to be read, and are read by nobody.
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await GatewayHost.UntilAsync(() => _host.Log.Lines.Any(line => line.ToString().Contains("/v1/ws", StringComparison.Ordinal)), "the socket of a slow reader to end");
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 20_000_000);

        await using var again = await SocketClient.ReadyAsync(_host);
        await again.SendAsync($$"""{"id":1,"type":"subscribe","run":"{{run}}","after":"{{last}}"}""");
        Assert.Equal("subscribed", (await again.ReadAsync()).GetProperty("type").GetString());
        while (await again.EventAsync() is { } one) text.Append(one);
        Assert.Equal((await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body, text.ToString());
    }

    [Theory]
    [InlineData("{", "invalid_request")]
    [InlineData("", "invalid_request")]
    [InlineData("null", "invalid_request")]
    [InlineData("[1]", "invalid_request")]
    [InlineData("""{"id":1}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"dance"}""", "invalid_request")]
    [InlineData("""{"id":{},"type":"ping"}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"subscribe"}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"subscribe","run":5}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"subscribe","run":"run_x"}""", "run_not_found")]
    [InlineData("""{"id":1,"type":"subscribe","run":"RUN","after":"x"}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"subscribe","run":"RUN","after":"900.0"}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"unsubscribe","run":"RUN"}""", "not_subscribed")]
    [InlineData("""{"id":1,"type":"start"}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"start","request":[]}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"start","request":{"type":"nobody","input":"a"}}""", "agent_not_found")]
    [InlineData("""{"id":1,"type":"complete"}""", "invalid_request")]
    [InlineData("""{"type":"complete","request":{}}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"complete","request":{}}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"cancel"}""", "completion_not_found")]
    [InlineData("""{"id":1,"type":"cancel","run":"run_000000000000000000000000"}""", "run_not_found")]
    [InlineData("""{"id":1,"type":"approve","run":"RUN","call":"c","approved":true}""", "call_not_found")]
    [InlineData("""{"id":1,"type":"approve","run":"RUN","call":"c"}""", "invalid_request")]
    [InlineData("""{"id":1,"type":"approve","run":"../keys","call":"c","approved":true}""", "run_not_found")]
    public async Task What_is_wrong_with_a_message_is_told_and_the_next_one_is_read(string message, string code)
    {
        var run = await _host.RunAsync();
        await using var client = await SocketClient.ReadyAsync(_host);

        var error = await client.AskAsync(message.Replace("RUN", run, StringComparison.Ordinal));

        Assert.True(("error", code) == (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()), error.GetRawText());
        Assert.Equal("""{"type":"pong","id":"next"}""", (await client.AskAsync("""{"id":"next","type":"ping"}""")).GetRawText());
    }
}
