using System.Net;
using System.Net.Sockets;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>What a start accepts, says, and refuses: exit code 2, every error named, no stack trace.</summary>
public sealed class StartTests
{
    public static TheoryData<string, string> BadSettings => new()
    {
        { "PORT", "three" },
        { "PORT", "65536" },
        { "PORT", "-1" },
        { "PLATFORM_ENVIRONMENT", "prod" },
        { "PENSTOCK_DRAIN_SECONDS", "soon" },
        { "PENSTOCK_ADMIN_KEY", "sk-pen-short" },
        { "OPENAI_BASE_URL", "ftp://example.com" },
        { "OPENAI_API_KEY", "a\tb" },
        { "ANTHROPIC_BASE_URL", "not a url" },
        { "COST_TRACKING_ENABLED", "maybe" },
        { "BUDGET_ALERTS_ENABLED", "maybe" },
        { "AWS_REGION", "the moon" },
        { "AWS_ACCOUNT_ID", "12" },
        { "SLACK_WEBHOOK_URL", "http://hooks.example.com/x" },
        { "ALERT_EMAIL", "nobody" },
    };

    [Theory]
    [MemberData(nameof(BadSettings))]
    public async Task A_bad_setting_is_refused_by_name(string name, string value)
    {
        var (code, errors, _) = await ServerProcess.RunToEndAsync(new ServerOptions { Environment = new Dictionary<string, string?> { [name] = value } });
        Refused(code, errors, name);
    }

    [Fact]
    public async Task Production_refuses_default_and_missing_secrets_all_at_once()
    {
        var (code, errors, _) = await ServerProcess.RunToEndAsync(new ServerOptions
        {
            Environment = new Dictionary<string, string?>
            {
                ["PLATFORM_ENVIRONMENT"] = "production",
                ["JWT_SECRET_KEY"] = "your-super-secret-jwt-key",
                ["PENSTOCK_ADMIN_KEY"] = "sk-pen-dev-0123456789abcdef0123456789abcdef",
                ["OPENAI_API_KEY"] = "sk-your-openai-key",
                ["ANTHROPIC_API_KEY"] = "sk-ant-your-anthropic-key",
            },
        });
        Refused(code, errors, "JWT_SECRET_KEY", "ENCRYPTION_SALT", "PENSTOCK_ADMIN_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY");
        Assert.DoesNotContain("0123456789abcdef", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_refused_by_number()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var (code, errors, _) = await ServerProcess.RunToEndAsync(new ServerOptions { Environment = new Dictionary<string, string?> { ["PORT"] = port } });
        Refused(code, errors, "PORT", port);
    }

    [Fact]
    public async Task A_data_folder_that_cannot_be_made_is_refused_by_name()
    {
        using var folder = new TempFolder();
        var file = Path.Combine(folder.Path, "file");
        await File.WriteAllTextAsync(file, "", Wait.Token);
        var (code, errors, _) = await ServerProcess.RunToEndAsync(new ServerOptions { Environment = new Dictionary<string, string?> { ["PENSTOCK_DATA"] = Path.Combine(file, "data") } });
        Refused(code, errors, file);
    }

    [Fact]
    public async Task A_bad_configuration_file_is_refused_with_every_error()
    {
        var (code, errors, _) = await ServerProcess.RunToEndAsync(new ServerOptions { Config = """{"limits":{"burst":0},"models":{"m":{"target":"nobody/x"}},"surprise":1}""" });
        Refused(code, errors, "limits.burst", "models.m.target", "surprise");
    }

    [Fact]
    public async Task Settings_of_later_versions_are_named_and_env_files_are_read()
    {
        using var folder = new TempFolder();
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        await File.WriteAllTextAsync(Path.Combine(folder.Path, ".env"), $"""
            # a comment
            AWS_REGION=us-east-1
            AWS_ACCOUNT_ID="123456789012"
            export ALERT_EMAIL=ops@example.com
            OPENAI_API_KEY={UpstreamServer.OpenAiKey}
            OPENAI_BASE_URL={upstream.BaseUrl}/v1
            COST_TRACKING_ENABLED=true # the environment says otherwise
            """, Wait.Token);
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Folder = folder.Path, Environment = new Dictionary<string, string?> { ["COST_TRACKING_ENABLED"] = "false", ["JWT_SECRET_KEY"] = "x" } });
        foreach (var name in new[] { "AWS_ACCOUNT_ID", "JWT_SECRET_KEY" })
            Assert.Contains(server.Log, line => line.Level == "Warning" && line.Message.StartsWith($"{name} is set and valid, and not yet used", StringComparison.Ordinal));

        using var api = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);
        var answer = await api.JsonAsync(HttpMethod.Post, "/v1/complete", Samples.Body("/v1/complete"));
        Assert.Equal(0, answer.GetProperty("usage").GetProperty("cost").GetDecimal());
        Assert.True(answer.GetProperty("usage").GetProperty("outputTokens").GetInt32() > 0);
        await server.StopAsync();
    }

    [Fact]
    public async Task Without_an_admin_key_one_is_made_and_shown_once()
    {
        using var folder = new TempFolder();
        var options = new ServerOptions { Folder = folder.Path, Environment = new Dictionary<string, string?> { ["PENSTOCK_ADMIN_KEY"] = null } };
        string key;
        await using (var server = await ServerProcess.StartAsync(options))
        {
            await Wait.UntilAsync(() => server.Output.Any(line => line.Trim().StartsWith("sk-pen-", StringComparison.Ordinal)), TimeSpan.FromSeconds(5), "the key is shown");
            key = server.Output.Single(line => line.Trim().StartsWith("sk-pen-", StringComparison.Ordinal)).Trim();
            using var api = new Api(server.Address, await ApiContract.OfAsync(server.Address), key);
            await api.GetAsync("/v1/auth/keys");
            await server.StopAsync();
        }

        await using var again = await ServerProcess.StartAsync(options);
        using var admin = new Api(again.Address, await ApiContract.OfAsync(again.Address), key);
        await admin.GetAsync("/v1/auth/keys");
        await again.StopAsync();
        Assert.DoesNotContain(again.Output, line => line.Contains("sk-pen-", StringComparison.Ordinal));
    }

    private static void Refused(int code, string errors, params string[] names)
    {
        Assert.All(names, name => Assert.Contains(name, errors, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.Equal(2, code);
    }
}
