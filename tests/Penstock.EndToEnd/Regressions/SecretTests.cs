using System.Net.Http.Headers;
using System.Text;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Regressions;

/// <summary>A failure of other gateways that became public: keys that can be read where keys have no business.</summary>
public sealed class SecretTests
{
    private static readonly string[] Routes = ["/v1/chat/completions", "/v1/messages", "/v1/complete", "/v1/stream", "/v1/embeddings", "/ai"];

    /// <summary>
    /// https://github.com/BerriAI/litellm/issues/30670 (the log of a refusal by a budget), 31620 (the audit table), 18731 (the error of an expired key):
    /// after calls that end in every way, no key, neither ours nor a provider's, stands in the log at its most talkative, in any file of the data folder,
    /// in the metrics, or in any answer but the one that made it.
    /// </summary>
    [Fact]
    public async Task Key_visible_in_a_log_ledger_or_error()
    {
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        using var folder = new TempFolder();
        var options = new ServerOptions
        {
            Folder = folder.Path,
            Environment = new Dictionary<string, string?>(ServerOptions.Reaching(upstream)) { ["Logging__LogLevel__Default"] = "Trace", ["Logging__LogLevel__Microsoft.AspNetCore"] = "Trace" },
        };
        await using var server = await ServerProcess.StartAsync(options);
        var contract = await ApiContract.OfAsync(server.Address);
        using var admin = new Api(server.Address, contract, server.Options.AdminKey);
        var (secrets, said) = (new List<string> { server.Options.AdminKey, UpstreamServer.OpenAiKey, UpstreamServer.AnthropicKey }, new StringBuilder());

        await CallAsync(admin, secrets, said);

        Assert.Contains(server.Log, line => line.Level is "Trace" or "Debug");
        Assert.All(secrets.SelectMany(Forms), secret => Assert.DoesNotContain(secret, said.ToString(), StringComparison.Ordinal));
        var log = string.Join('\n', server.Output) + server.ErrorText;
        Assert.All(secrets.SelectMany(Forms), secret => Assert.DoesNotContain(secret, log, StringComparison.Ordinal));
        // As it is while it serves, and as it is after an end in order.
        await server.KillAsync();
        NoFileHolds(folder.Path, secrets);
        await using var again = await ServerProcess.StartAsync(options);
        await again.StopAsync();
        NoFileHolds(folder.Path, secrets);
    }

    private static async Task CallAsync(Api admin, List<string> secrets, StringBuilder said)
    {
        var good = (await admin.NewKeyAsync("ai:complete ai:embed")).Text;
        var spent = (await admin.NewKeyAsync("ai:complete ai:embed", "\"monthlyBudget\":0.0000001")).Text;
        var (revokedId, revoked) = await admin.NewKeyAsync("ai:complete");
        await admin.JsonAsync(HttpMethod.Delete, $"/v1/auth/keys/{revokedId}");
        var (rotatedId, rotated) = await admin.NewKeyAsync("ai:complete");
        secrets.Add((await admin.JsonAsync(HttpMethod.Post, $"/v1/auth/keys/{rotatedId}/rotate", "{}")).GetProperty("apiKey").GetString()!);
        var wrong = good[..^4] + "zzzz";
        secrets.AddRange([good, spent, revoked, rotated, wrong]);

        foreach (var key in new[] { good, spent, revoked, rotated, wrong })
        {
            using var api = admin.With(key);
            foreach (var route in Routes) await SayAsync(api, HttpMethod.Post, route, Samples.Body(route), said);
            foreach (var text in new[] { "[[status:401]] a", "[[status:500]] a", "[[cut:after=1]] a", "[[malformed-chunk:after=1]] a" }) await SayAsync(api, HttpMethod.Post, "/v1/messages", Samples.Chat("/v1/messages", text, stream: true), said);
            await SayAsync(api, HttpMethod.Post, "/v1/chat/completions", "{not json", said);
            await SayAsync(api, HttpMethod.Post, "/v1/chat/completions", """{"model":"nobody-has-it","messages":[{"role":"user","content":"a"}]}""", said);
            await SayAsync(api, HttpMethod.Get, "/v1/usage/budget", null, said);
            await SayAsync(api, HttpMethod.Get, "/v1/auth/keys", null, said);
            await MisplacedAsync(admin, key, said);
        }

        foreach (var path in new[] { "/metrics", "/v1/usage/attempts", "/v1/usage?groupBy=key", "/v1/auth/keys", "/v1/usage/budget", "/v1/models" }) await SayAsync(admin, HttpMethod.Get, path, null, said);
    }

    /// <summary>Keys where clients put them by mistake, all of which are read before anybody knows whose they are.</summary>
    private static async Task MisplacedAsync(Api admin, string key, StringBuilder said)
    {
        using var nobody = admin.With(null);
        foreach (var scheme in new[] { "Basic", "bearer", "Token" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Api.Body(Samples.Body("/v1/chat/completions")) };
            request.Headers.Authorization = new AuthenticationHeaderValue(scheme, key);
            await SayAsync(nobody, request, said);
        }

        using var both = new HttpRequestMessage(HttpMethod.Post, "/v1/messages") { Content = Api.Body(Samples.Body("/v1/messages")) };
        both.Headers.Add("x-api-key", $" {key} x");
        await SayAsync(nobody, both, said);
    }

    private static Task SayAsync(Api api, HttpMethod method, string path, string? body, StringBuilder said) =>
        SayAsync(api, new HttpRequestMessage(method, path) { Content = body is null ? null : Api.Body(body) }, said);

    private static async Task SayAsync(Api api, HttpRequestMessage request, StringBuilder said)
    {
        using var answer = await api.SendAsync(request);
        said.AppendLine(answer.ToString()).AppendLine(await answer.Content.ReadAsStringAsync(Wait.Token));
    }

    /// <summary>The key itself, and where it is one of ours the part that nobody may know.</summary>
    private static IEnumerable<string> Forms(string key) => key.StartsWith("sk-pen-", StringComparison.Ordinal) ? [key, key[(key.LastIndexOf('-') + 1)..]] : [key];

    private static void NoFileHolds(string folder, List<string> secrets)
    {
        var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).ToArray();
        foreach (var secret in secrets.SelectMany(Forms)) Assert.Null(FileThatHolds(files, secret));
        // The control: what is no secret of a key is found.
        Assert.NotNull(FileThatHolds(files, secrets[^1].Split('-')[2]));
    }

    private static string? FileThatHolds(string[] files, string text) => files.FirstOrDefault(file => File.ReadAllBytes(file).AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0);
}
