using System.Net;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd;

/// <summary><c>penstock.json</c> while the server runs.</summary>
public sealed class ConfigTests(Platform platform) : IClassFixture<Platform>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(3);

    [Fact]
    public async Task An_edit_works_without_a_restart_and_a_bad_one_changes_nothing()
    {
        Assert.Equal(HttpStatusCode.NotFound, await AskAsync("house-model"));

        await File.WriteAllTextAsync(platform.Server.ConfigPath, """{"models":{"house-model":{"target":"openai/gpt-4o-mini"}}}""", Wait.Token);
        await Wait.UntilAsync(async () => await AskAsync("house-model") == HttpStatusCode.OK, Soon, () => "the alias works");

        await File.WriteAllTextAsync(platform.Server.ConfigPath, """{"models":{"house-model":{"target":"nobody/x"},"other":{"target":"openai/gpt-4o"}},"limits":{"burst":-1},"gateway":{"maxBodyBytes":"all"},"extra":{}}""", Wait.Token);
        foreach (var error in new[] { "models.house-model.target", "limits.burst", "gateway.maxBodyBytes", "'extra'" })
        {
            var line = await platform.Server.LoggedAsync(line => line.Level == "Error" && line.Message.Contains(error, StringComparison.Ordinal), Soon);
            Assert.Contains("the old values stay", line.Message, StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.OK, await AskAsync("house-model"));
        Assert.Equal(HttpStatusCode.NotFound, await AskAsync("other"));

        await File.WriteAllTextAsync(platform.Server.ConfigPath, """{"models":{"other":{"target":"openai/gpt-4o"}}}""", Wait.Token);
        await Wait.UntilAsync(async () => await AskAsync("other") == HttpStatusCode.OK, Soon, () => "the next edit works");
        Assert.Equal(HttpStatusCode.NotFound, await AskAsync("house-model"));
        platform.Expected = line => line.Category.EndsWith("ConfigFile", StringComparison.Ordinal);
    }

    private async Task<HttpStatusCode> AskAsync(string model)
    {
        using var answer = await platform.Admin.PostAsync("/v1/chat/completions", Samples.Chat("/v1/chat/completions", "hi", model: model));
        return answer.StatusCode;
    }
}
