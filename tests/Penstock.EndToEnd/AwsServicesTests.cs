using System.Net;
using System.Text.Json.Nodes;
using Penstock.Emulators;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>The real server with its secrets in AWS, behind a gate that checks signatures.</summary>
public sealed class AwsServicesTests
{
    private const string Wrong = "sk-a-key-that-no-provider-knows-0123456789";

    [Fact]
    public async Task A_key_that_is_rotated_in_Parameter_Store_is_used_within_a_minute_without_a_restart()
    {
        Assert.SkipUnless(DynamoEmulator.IsForThisMachine, "The gate is a program for Linux on x64.");
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        await using var services = await SecretServices.StartAsync();
        services.Parameters["/ai-platform/openai-api-key"] = Wrong;
        services.Parameters["/ai-platform/anthropic-api-key"] = UpstreamServer.AnthropicKey;
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Environment = With(upstream, services, ("PENSTOCK_PROVIDER_KEYS", "ssm:/ai-platform"), ("PENSTOCK_EMF", "1")) });
        using var admin = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);
        using var caller = admin.With((await admin.NewKeyAsync("ai:complete")).Text);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(caller, "claude-haiku-4-5"));
        Assert.NotEqual(HttpStatusCode.OK, await AskAsync(caller, "gpt-4o-mini"));

        services.Parameters["/ai-platform/openai-api-key"] = UpstreamServer.OpenAiKey;
        await Wait.UntilAsync(async () => await AskAsync(caller, "gpt-4o-mini") == HttpStatusCode.OK, TimeSpan.FromSeconds(60), () => "the rotated key is used");

        // A place that fails changes nothing.
        services.Failing = "AccessDeniedException";
        await server.LoggedAsync(line => line.Message.Contains("AccessDeniedException", StringComparison.Ordinal), TimeSpan.FromSeconds(40));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(caller, "gpt-4o-mini"));

        await server.StopAsync();
        var log = string.Join('\n', server.Output) + server.ErrorText;
        Assert.All(new[] { Wrong, UpstreamServer.OpenAiKey, UpstreamServer.AnthropicKey }, key => Assert.DoesNotContain(key, log, StringComparison.Ordinal));
        MetricsAre(server.Output);
    }

    [Fact]
    public async Task A_callers_own_key_is_sealed_under_KMS_and_serves()
    {
        Assert.SkipUnless(DynamoEmulator.IsForThisMachine, "The gate is a program for Linux on x64.");
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        await using var services = await SecretServices.StartAsync();
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Environment = With(upstream, services, ("OPENAI_API_KEY", Wrong), ("PENSTOCK_KMS_KEY", "alias/penstock")) });
        using var admin = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);
        var (id, text) = await admin.NewKeyAsync("ai:complete");
        using var caller = admin.With(text);

        await admin.JsonAsync(HttpMethod.Put, $"/v1/auth/keys/{id}/providers/openai", $$"""{"apiKey": "{{UpstreamServer.OpenAiKey}}"}""");

        for (var i = 0; i < 5; i++) Assert.Equal(HttpStatusCode.OK, await AskAsync(caller, "gpt-4o-mini"));
        Assert.StartsWith("kms:arn:aws:kms:", (await admin.GetAsync($"/v1/auth/keys/{id}/providers/openai")).GetProperty("masterKey").GetString(), StringComparison.Ordinal);
        Assert.Equal(["GenerateDataKey", "Decrypt"], services.Called);
        await server.StopAsync();
    }

    private static void MetricsAre(IReadOnlyList<string> output)
    {
        var lines = output.Where(line => line.StartsWith("""{"_aws":""", StringComparison.Ordinal)).Select(line => JsonNode.Parse(line)!.AsObject()).ToArray();
        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.Empty(EmfRules.Broken(line)));
        var haiku = lines.Where(line => (string?)line["Model"] == "claude-haiku-4-5").ToArray();
        Assert.Equal(1, haiku.Sum(line => (double)line["Requests"]!));
        Assert.True(haiku.Sum(line => (double)line["InputTokens"]!) > 0 && haiku.Sum(line => (double)line["CostUsd"]!) > 0);
        Assert.True(lines.Where(line => (string?)line["Model"] == "gpt-4o-mini").Sum(line => (double)line["Errors"]!) > 0);
    }

    private static Dictionary<string, string?> With(UpstreamServer upstream, SecretServices services, params (string Name, string Value)[] more)
    {
        var environment = new Dictionary<string, string?>(ServerOptions.Reaching(upstream))
        {
            ["OPENAI_API_KEY"] = null,
            ["ANTHROPIC_API_KEY"] = null,
            ["AWS_REGION"] = "us-east-1",
            ["AWS_ACCESS_KEY_ID"] = SecretServices.AccessKey,
            ["AWS_SECRET_ACCESS_KEY"] = SecretServices.Secret,
            ["AWS_ENDPOINT_URL_SSM"] = services.Endpoint.ToString(),
            ["AWS_ENDPOINT_URL_KMS"] = services.Endpoint.ToString(),
        };
        foreach (var (name, value) in more) environment[name] = value;
        return environment;
    }

    private static async Task<HttpStatusCode> AskAsync(Api api, string model)
    {
        using var answer = await api.PostAsync("/v1/chat/completions", $$"""{"model":"{{model}}","max_tokens":20,"messages":[{"role":"user","content":"Hello"}]}""");
        return answer.StatusCode;
    }
}
