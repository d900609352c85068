using System.Net;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>Callers that bring their own provider key pay the provider themselves.</summary>
public sealed class OwnKeyTests
{
    private const string Header = "x-penstock-provider-key";
    private const string Wrong = "sk-a-key-that-no-provider-knows-0123456789";

    [Theory]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", false)]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", true)]
    [InlineData("/v1/messages", "claude-haiku-4-5", false)]
    [InlineData("/v1/messages", "claude-haiku-4-5", true)]
    public async Task The_provider_gets_the_callers_key_and_the_platform_pays_nothing(string route, string model, bool stream)
    {
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        using var folder = new TempFolder();
        // The platform's own keys are refused by the providers: only a caller's can have been used.
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Folder = folder.Path, Environment = WithKeys(upstream, Wrong) });
        using var admin = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);
        using var caller = admin.With((await admin.NewKeyAsync("ai:complete", "\"monthlyBudget\":0")).Text);
        var own = model.StartsWith("gpt", StringComparison.Ordinal) ? UpstreamServer.OpenAiKey : UpstreamServer.AnthropicKey;

        var (status, text) = await AskAsync(caller, route, model, stream, own);
        var (refused, why) = await AskAsync(caller, route, model, stream, Wrong);
        var (without, _) = await AskAsync(caller, route, model, stream, null);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized, HttpStatusCode.PaymentRequired), (status, refused, without));
        Assert.NotEmpty(text);
        Assert.Contains(Header, why, StringComparison.Ordinal);
        var usage = await admin.GetAsync("/v1/usage");
        Assert.Equal(0, usage.GetProperty("totalCost").GetDecimal());
        var ownKey = usage.GetProperty("ownKey");
        Assert.Equal(2, ownKey.GetProperty("requests").GetInt64());
        Assert.True(ownKey.GetProperty("cost").GetDecimal() > 0);
        await server.StopAsync();
        NothingHolds(folder.Path, server, [own, Wrong]);
    }

    /// <summary>
    /// The whole life of a stored key: it is sealed, serves, survives a change of the master key, serves without the old one once it was resealed, and stands
    /// readable in no file, log or answer all the while.
    /// </summary>
    [Fact]
    public async Task A_stored_key_serves_across_a_change_of_the_master_key()
    {
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        using var folder = new TempFolder();
        var (first, second) = (NewMasterKey(), NewMasterKey());
        var path = "";
        var options = new ServerOptions { Folder = folder.Path, Environment = With(upstream, first, null) };
        await using (var server = await ServerProcess.StartAsync(options))
        {
            using var admin = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);
            var (id, text) = await admin.NewKeyAsync("ai:complete", "\"monthlyBudget\":0");
            using var caller = admin.With(text);
            path = $"/v1/auth/keys/{id}/providers/openai";
            await admin.JsonAsync(HttpMethod.Put, path, $$"""{"apiKey": "{{UpstreamServer.OpenAiKey}}"}""");
            await admin.JsonAsync(HttpMethod.Put, "/v1/auth/providers/anthropic", $$"""{"apiKey": "{{UpstreamServer.AnthropicKey}}"}""");
            await ServesAsync(caller);
            Assert.Equal(0, (await admin.GetAsync("/v1/usage")).GetProperty("totalCost").GetDecimal());
            await server.StopAsync();
            NothingHolds(folder.Path, server, [UpstreamServer.OpenAiKey, UpstreamServer.AnthropicKey, Wrong, first]);
            options = options with { AdminKey = server.Options.AdminKey };
            foreach (var (master, old) in new[] { (second, first), (second, null) }) options = await NextAsync(options, upstream, master, old, text, path, folder.Path);
        }

        var without = await CliProcess.RunAsync(folder.Path, new Dictionary<string, string?> { ["PENSTOCK_MASTER_KEY"] = NewMasterKey() }, "keys", "reseal");
        Assert.Equal(1, without.Code);
        Assert.Contains("default/anthropic", without.Erred, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_of_this_process_takes_no_key()
    {
        await using var server = await ServerProcess.StartAsync(new ServerOptions());
        using var admin = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);

        var (status, why) = await AskAsync(admin, "/v1/chat/completions", "local", false, Wrong);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(Header, why, StringComparison.Ordinal);
        Assert.DoesNotContain(Wrong, why, StringComparison.Ordinal);
        await server.StopAsync();
    }

    /// <summary>Starts under the next master key, serves with what the one before sealed, and reseals it.</summary>
    private static async Task<ServerOptions> NextAsync(ServerOptions options, UpstreamServer upstream, string master, string? old, string key, string path, string folder)
    {
        options = options with { Environment = With(upstream, master, old) };
        await using var server = await ServerProcess.StartAsync(options);
        using var admin = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);
        using var caller = admin.With(key);
        await ServesAsync(caller);
        var before = (await admin.GetAsync(path)).GetProperty("masterKey").GetString();
        await server.StopAsync();
        var resealed = await CliProcess.RunAsync(folder, new Dictionary<string, string?> { ["PENSTOCK_MASTER_KEY"] = master, ["PENSTOCK_MASTER_KEYS_OLD"] = old }, "keys", "reseal");
        Assert.Equal((0, ""), (resealed.Code, resealed.Erred));
        Assert.StartsWith(old is null ? "0 provider keys" : "2 provider keys", resealed.Said, StringComparison.Ordinal);
        Assert.Equal(16, before!.Length);
        NothingHolds(folder, server, [UpstreamServer.OpenAiKey, UpstreamServer.AnthropicKey, Wrong, master]);
        return options;
    }

    private static async Task ServesAsync(Api caller)
    {
        foreach (var (route, model) in new[] { ("/v1/chat/completions", "gpt-4o-mini"), ("/v1/messages", "claude-haiku-4-5") })
        {
            foreach (var stream in new[] { false, true })
            {
                var (status, text) = await AskAsync(caller, route, model, stream, null);
                Assert.True(status == HttpStatusCode.OK, text);
            }
        }
    }

    private static string NewMasterKey() => Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    private static Dictionary<string, string?> With(UpstreamServer upstream, string master, string? old) =>
        new(WithKeys(upstream, Wrong)) { ["PENSTOCK_MASTER_KEY"] = master, ["PENSTOCK_MASTER_KEYS_OLD"] = old };

    private static Dictionary<string, string?> WithKeys(UpstreamServer upstream, string key) =>
        new(ServerOptions.Reaching(upstream)) { ["OPENAI_API_KEY"] = key, ["ANTHROPIC_API_KEY"] = key, ["Logging__LogLevel__Default"] = "Trace" };

    private static async Task<(HttpStatusCode Status, string Text)> AskAsync(Api api, string route, string model, bool stream, string? key)
    {
        var body = $$"""{"model": "{{model}}", "max_tokens": 20, "stream": {{(stream ? "true" : "false")}}, "messages": [{"role": "user", "content": "Hello"}]}""";
        using var request = new HttpRequestMessage(HttpMethod.Post, route) { Content = Api.Body(body) };
        if (route == "/v1/messages") request.Headers.Add("anthropic-version", "2023-06-01");
        if (key is not null) request.Headers.Add(Header, key);
        using var answer = await api.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Wait.Token));
    }

    private static void NothingHolds(string folder, ServerProcess server, string[] keys)
    {
        var log = string.Join('\n', server.Output) + server.ErrorText;
        Assert.All(keys, key => Assert.DoesNotContain(key, log, StringComparison.Ordinal));
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            var bytes = File.ReadAllBytes(file);
            Assert.All(keys, key => Assert.True(bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(key)) < 0, $"{file} holds a provider's key"));
        }
    }
}
