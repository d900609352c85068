using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway;
using Penstock.Tests.Alerts;
using Penstock.Tests.Gateway;
using Penstock.Tools;
using Xunit;

namespace Penstock.Tests.Tools;

/// <summary>What any tool puts out can be put into any other: each has its text in <c>text</c>.</summary>
public sealed class ToolChainTests : IAsyncLifetime
{
    private GatewayHost _host = null!;
    private Receiver _page = null!;

    public async ValueTask InitializeAsync()
    {
        _page = await Receiver.StartAsync(TestContext.Current.CancellationToken);
        _page.Answer = http => http.Response.WriteAsync($"page about {http.Request.Query["q"]}");
        _host = await GatewayHost.StartAsync(config: $$$"""{"tools": {"fetch": {"allowHosts": ["127.0.0.1"], "ports": [{{{_page.Url("/").Port}}}]}}, "limits": {"requestsPerSecond": 1000000, "burst": 1000000}}""");
        _host.Script.Chat = (call, _) => Frames.Of(Frames.Whole(Answer(call.Call)));
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _page.DisposeAsync();
    }

    [Fact]
    public async Task Any_chain_of_three_of_the_seven_works()
    {
        var chains = (from first in ToolSection.BuiltIn from second in ToolSection.BuiltIn from third in ToolSection.BuiltIn select new[] { first, second, third }).ToArray();
        Assert.Equal(7 * 7 * 7, chains.Length);
        await Parallel.ForEachAsync(chains, TestContext.Current.CancellationToken, async (chain, _) =>
        {
            var text = "Wind turbines turn. The wind is strong today.";
            foreach (var tool in chain)
            {
                var answer = await _host.PostAsync($"/v1/tools/{tool}", Feed(tool, text));
                Assert.True(answer.Status == 200, $"{string.Join(" > ", chain)}: {tool} answered {answer.Body}");
                text = answer.Text("output", "text")!;
                Assert.False(string.IsNullOrWhiteSpace(text), $"{string.Join(" > ", chain)}: {tool} has no text");
            }
        });
    }

    /// <summary>The text of the one before as the argument of the next.</summary>
    private string Feed(string tool, string text)
    {
        var json = $"\"{JsonEncodedText.Encode(text)}\"";
        return tool switch
        {
            "summarize" => $$"""{"text": {{json}}, "model": "gpt-4o-mini"}""",
            "extract" => $$"""{"text": {{json}}, "fields": ["topic"], "model": "gpt-4o-mini"}""",
            "classify" => $$"""{"text": {{json}}, "labels": ["energy", "other"], "model": "gpt-4o-mini"}""",
            "search" => $$"""{"query": {{json}}, "texts": [{{json}}]}""",
            "http_fetch" => $$"""{"url": "{{_page.Url("/find")}}", "query": {"q": {{json}} } }""",
            "wait" => $$"""{"seconds": 0, "text": {{json}}}""",
            _ => $$"""{"expression": "x / 2", "variables": {"x": {{(double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : text.Length).ToString(CultureInfo.InvariantCulture)}} } }""",
        };
    }

    private static string Answer(ChatCall call) => call.ResponseFormat?.Name switch
    {
        "data" => """{"topic": "wind"}""",
        "label" => """{"label": "energy"}""",
        _ => "A summary of the wind.",
    };
}
