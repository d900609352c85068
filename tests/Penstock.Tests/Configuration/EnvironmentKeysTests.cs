using Penstock.Configuration;
using Penstock.Tests.Keys;
using Xunit;

namespace Penstock.Tests.Configuration;

public sealed class EnvironmentKeysTests
{
    private const string Strong = "7f3a9c5e1b8d2f6047a3c9e5b1d8f2607f3a9c5e1b8d2f60";

    [Fact]
    public void Nothing_set_gives_the_documented_defaults()
    {
        var keys = Sections.Environment();

        Assert.Equal(PlatformEnvironment.Development, keys.Platform);
        Assert.Equal(3000, keys.Port);
        Assert.Equal("./data", keys.DataFolder);
        Assert.Equal(TimeSpan.FromSeconds(30), keys.Drain);
        Assert.True(keys.CostTracking);
        Assert.Null(keys.AdminKey);
        Assert.Null(keys.OpenAiKey);
        Assert.Null(keys.OpenAiBaseUrl);
        Assert.Null(keys.AnthropicKey);
        Assert.Null(keys.AnthropicBaseUrl);
        Assert.True(keys.BudgetAlerts);
        Assert.Null(keys.SlackWebhook);
        Assert.Null(keys.AlertEmail);
        Assert.Empty(keys.NotYetUsed);
    }

    [Fact]
    public void Every_key_is_taken_as_it_stands()
    {
        var keys = Sections.Environment(
            ("PLATFORM_ENVIRONMENT", "staging"), ("PORT", " 8080 "), ("PENSTOCK_DATA", "/var/lib/penstock"), ("PENSTOCK_ADMIN_KEY", "sk-pen-root-" + Strong),
            ("PENSTOCK_DRAIN_SECONDS", "0"), ("OPENAI_API_KEY", "sk-1"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"), ("ANTHROPIC_API_KEY", "sk-ant-1"),
            ("ANTHROPIC_BASE_URL", "https://example.test"), ("COST_TRACKING_ENABLED", "False"), ("AWS_REGION", "eu-central-1"), ("AWS_ACCOUNT_ID", "123456789012"),
            ("BUDGET_ALERTS_ENABLED", "false"), ("SLACK_WEBHOOK_URL", "https://hooks.slack.test/x"), ("ALERT_EMAIL", "a@b.test"), ("JWT_SECRET_KEY", "x"), ("ENCRYPTION_SALT", "y"));

        Assert.Equal(PlatformEnvironment.Staging, keys.Platform);
        Assert.Equal(8080, keys.Port);
        Assert.Equal("/var/lib/penstock", keys.DataFolder);
        Assert.Equal("sk-pen-root-" + Strong, keys.AdminKey);
        Assert.Equal(TimeSpan.Zero, keys.Drain);
        Assert.Equal("sk-1", keys.OpenAiKey);
        Assert.Equal(new Uri("http://127.0.0.1:1/v1"), keys.OpenAiBaseUrl);
        Assert.Equal("sk-ant-1", keys.AnthropicKey);
        Assert.Equal(new Uri("https://example.test"), keys.AnthropicBaseUrl);
        Assert.False(keys.CostTracking);
        Assert.False(keys.BudgetAlerts);
        Assert.Equal(new Uri("https://hooks.slack.test/x"), keys.SlackWebhook);
        Assert.Equal("a@b.test", keys.AlertEmail);
        // What is set and not built yet is told, never silently ignored.
        Assert.Equal(["AWS_ACCOUNT_ID", "ENCRYPTION_SALT", "JWT_SECRET_KEY"], keys.NotYetUsed.Order());
    }

    [Fact]
    public void A_shared_store_needs_to_know_where_its_tables_are()
    {
        Assert.Equal(StoreKind.Sqlite, Sections.Environment().Store);
        Assert.StartsWith("AWS_REGION is missing", Assert.Single(Assert.Throws<ConfigException>(() => Sections.Environment(("PENSTOCK_STORE", "dynamodb"))).Errors), StringComparison.Ordinal);

        var keys = Sections.Environment(("PENSTOCK_STORE", "DynamoDB"), ("AWS_REGION", "eu-central-1"), ("PENSTOCK_TABLE_PREFIX", "test."));
        Assert.Equal((StoreKind.DynamoDb, "eu-central-1", null, "test."), (keys.Store, keys.AwsRegion, keys.DynamoEndpoint, keys.TablePrefix));
        // It is used now.
        Assert.Empty(keys.NotYetUsed);
    }

    [Fact]
    public void An_endpoint_of_DynamoDB_alone_comes_before_that_of_all_of_AWS()
    {
        Assert.Equal(new Uri("http://127.0.0.1:1"), Sections.Environment(("AWS_ENDPOINT_URL", "http://127.0.0.1:1")).DynamoEndpoint);
        Assert.Equal(new Uri("http://127.0.0.1:2"), Sections.Environment(("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("DYNAMODB_ENDPOINT", "http://127.0.0.1:2")).DynamoEndpoint);
    }

    [Fact]
    public void Master_keys_are_bytes_and_a_bad_one_is_not_repeated()
    {
        var keys = Sections.Environment(("PENSTOCK_MASTER_KEY", Callers.MasterKey), ("PENSTOCK_MASTER_KEYS_OLD", $" {Callers.MasterKey} ,, //////////////////////////////////////////8="));
        var error = Assert.Single(Assert.Throws<ConfigException>(() => Sections.Environment(("PENSTOCK_MASTER_KEY", "c2VjcmV0"))).Errors);

        Assert.Equal(Enumerable.Range(0, 32).Select(i => (byte)i), keys.MasterKey!.Value.ToArray());
        Assert.Equal([0, 0xff], keys.OldMasterKeys.Select(key => key.Span[0]));
        Assert.DoesNotContain("AAEC", keys.ToString(), StringComparison.Ordinal);
        Assert.Equal("PENSTOCK_MASTER_KEY must be 32 bytes in base64 (openssl rand -base64 32).", error);
    }

    [Fact]
    public void A_blank_value_is_no_value() => Assert.Equal(3000, Sections.Environment(("PORT", "  "), ("OPENAI_API_KEY", ""), ("AWS_REGION", " ")).Port);

    [Theory]
    [InlineData("PLATFORM_ENVIRONMENT", "prod")]
    [InlineData("PLATFORM_ENVIRONMENT", "2")]
    [InlineData("PLATFORM_ENVIRONMENT", "-1")]
    [InlineData("PLATFORM_ENVIRONMENT", "staging,production")]
    [InlineData("PORT", "65536")]
    [InlineData("PORT", "-1")]
    [InlineData("PORT", "0x50")]
    [InlineData("PORT", "3000.0")]
    [InlineData("PORT", "\u0663\u0660")]
    [InlineData("PENSTOCK_DRAIN_SECONDS", "3601")]
    [InlineData("PENSTOCK_DRAIN_SECONDS", "soon")]
    [InlineData("OPENAI_API_KEY", "sk 1")]
    [InlineData("OPENAI_API_KEY", "sk-1\r\nx-evil: 1")]
    [InlineData("ANTHROPIC_API_KEY", "sk-\u00e9")]
    [InlineData("OPENAI_BASE_URL", "127.0.0.1:8080")]
    [InlineData("OPENAI_BASE_URL", "ftp://example.test")]
    [InlineData("ANTHROPIC_BASE_URL", "/v1")]
    [InlineData("COST_TRACKING_ENABLED", "yes")]
    [InlineData("BUDGET_ALERTS_ENABLED", "1")]
    [InlineData("PENSTOCK_STORE", "postgres")]
    [InlineData("PENSTOCK_STORE", "1")]
    [InlineData("DYNAMODB_ENDPOINT", "localhost:8000")]
    [InlineData("PENSTOCK_TABLE_PREFIX", "a b")]
    [InlineData("AWS_REGION", "Frankfurt")]
    [InlineData("AWS_REGION", "us-east-1a")]
    [InlineData("AWS_ACCOUNT_ID", "12345678901")]
    [InlineData("AWS_ACCOUNT_ID", "1234-5678-9012")]
    [InlineData("AWS_ACCOUNT_ID", "\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660\u0661\u0662")]
    [InlineData("SLACK_WEBHOOK_URL", "http://hooks.slack.test/x")]
    [InlineData("SLACK_WEBHOOK_URL", "http://127.0.0.1.hooks.slack.test/x")]
    [InlineData("SLACK_WEBHOOK_URL", "https://user:password@hooks.slack.test/x")]
    [InlineData("SLACK_WEBHOOK_URL", "ftp://localhost/x")]
    [InlineData("SLACK_WEBHOOK_URL", "hooks")]
    [InlineData("PENSTOCK_MASTER_KEY", "0123456789abcdef0123456789abcdef")]
    [InlineData("PENSTOCK_MASTER_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==")]
    [InlineData("PENSTOCK_MASTER_KEYS_OLD", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=;AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]
    [InlineData("ALERT_EMAIL", "nobody")]
    [InlineData("ALERT_EMAIL", "a@b")]
    [InlineData("ALERT_EMAIL", "a@b.test,c@d.test")]
    [InlineData("ALERT_EMAIL", "a@b.test\r\nBcc: c@d.test")]
    [InlineData("ALERT_EMAIL", "<a@b.test>")]
    public void A_bad_value_is_refused_by_the_name_of_its_key(string name, string value)
    {
        var error = Assert.Throws<ConfigException>(() => Sections.Environment((name, value)));

        Assert.StartsWith(name + " ", Assert.Single(error.Errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://localhost:8080/hook")]
    [InlineData("http://127.0.0.1/hook")]
    [InlineData("http://[::1]:1/hook")]
    public void A_hook_on_this_machine_needs_no_TLS(string url) => Assert.Equal(new Uri(url), Sections.Environment(("SLACK_WEBHOOK_URL", url)).SlackWebhook);

    [Fact]
    public void An_error_never_repeats_a_secret()
    {
        var error = Assert.Throws<ConfigException>(() => Sections.Environment(("OPENAI_API_KEY", "sk-topsecret 1"), ("SLACK_WEBHOOK_URL", "hooks.slack.test/topsecret")));

        Assert.Equal(2, error.Errors.Count);
        Assert.DoesNotContain("topsecret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_errors_are_told_at_once()
    {
        var error = Assert.Throws<ConfigException>(() => Sections.Environment(
            ("PLATFORM_ENVIRONMENT", "x"), ("PORT", "x"), ("PENSTOCK_DRAIN_SECONDS", "x"), ("OPENAI_API_KEY", "x x"), ("OPENAI_BASE_URL", "x"), ("ANTHROPIC_API_KEY", "x x"),
            ("ANTHROPIC_BASE_URL", "x"), ("COST_TRACKING_ENABLED", "x"), ("AWS_REGION", "x"), ("AWS_ACCOUNT_ID", "x"), ("ALERT_EMAIL", "x"), ("SLACK_WEBHOOK_URL", "x"),
            ("BUDGET_ALERTS_ENABLED", "x")));

        Assert.Equal(13, error.Errors.Count);
    }

    [Fact]
    public void Production_without_its_secrets_names_each()
    {
        var error = Assert.Throws<ConfigException>(() => Sections.Environment(("PLATFORM_ENVIRONMENT", "production")));

        Assert.Equal(["ENCRYPTION_SALT is missing", "JWT_SECRET_KEY is missing"], error.Errors.Select(text => text.Split(';')[0]).Order());
    }

    [Theory]
    [InlineData("JWT_SECRET_KEY", "your-super-secret-jwt-key", "example")]
    [InlineData("ENCRYPTION_SALT", "your-encryption-salt", "example")]
    [InlineData("JWT_SECRET_KEY", "1234567890123456789012345678901", "31 characters")]
    [InlineData("PENSTOCK_ADMIN_KEY", "sk-pen-dev-0123456789abcdef0123456789abcdef", "example")]
    [InlineData("OPENAI_API_KEY", "sk-your-openai-key", "example")]
    [InlineData("ANTHROPIC_API_KEY", "sk-ant-your-anthropic-key", "example")]
    public void Production_refuses_a_secret_that_protects_nothing(string name, string value, string why)
    {
        var all = new Dictionary<string, string?> { ["PLATFORM_ENVIRONMENT"] = "Production", ["JWT_SECRET_KEY"] = Strong, ["ENCRYPTION_SALT"] = Strong };
        Assert.Equal(PlatformEnvironment.Production, Sections.Environment(all.Select(key => (key.Key, key.Value))).Platform);

        all[name] = value;
        var error = Assert.Single(Assert.Throws<ConfigException>(() => Sections.Environment(all.Select(key => (key.Key, key.Value)))).Errors);

        Assert.StartsWith(name + " ", error, StringComparison.Ordinal);
        Assert.Contains(why, error, StringComparison.Ordinal);
        if (why != "example") Assert.DoesNotContain(value, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("your-super-secret-jwt-key")]
    [InlineData("x")]
    public void Development_takes_any_secret(string secret) => Assert.Equal(["JWT_SECRET_KEY"], Sections.Environment(("JWT_SECRET_KEY", secret)).NotYetUsed);
}
