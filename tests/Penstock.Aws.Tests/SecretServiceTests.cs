using System.Security.Cryptography;
using Penstock.Aws.Api;
using Penstock.Aws.Kms;
using Penstock.Aws.ProviderKeys;
using Penstock.Emulators;
using Penstock.Gateway.Routing;
using Penstock.Kernel;
using Penstock.Keys;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>Provider keys from Parameter Store and Secrets Manager, and data keys from KMS, behind the gate.</summary>
public sealed class SecretServiceTests : IAsyncLifetime
{
    private static readonly ProviderKeyName Mine = new(new TenantId("acme"), new KeyId("k1"), "openai");

    private SecretServices _services = null!;
    private AwsClient _aws = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(DynamoEmulator.IsForThisMachine, "The gate is a program for Linux on x64.");
        _services = await SecretServices.StartAsync();
        _aws = new AwsClient(new AwsOptions { Region = "us-east-1", Endpoint = _services.Endpoint }, TimeProvider.System, AwsServers.Credentials);
    }

    public async ValueTask DisposeAsync()
    {
        _aws?.Dispose();
        if (_services is not null) await _services.DisposeAsync();
    }

    [Fact]
    public async Task Parameters_are_read_in_the_open_and_one_that_is_not_there_is_left_out()
    {
        _services.Parameters["/ai-platform/openai-api-key"] = "sk-from-ssm\n";
        var source = new SsmProviderKeys(_aws, "/ai-platform");

        Assert.Equal([new("openai", "sk-from-ssm")], await source.ReadAsync(["openai", "anthropic"], Ct));

        _services.Parameters["/ai-platform/openai-api-key"] = "sk-rotated";
        _services.Parameters["/ai-platform/anthropic-api-key"] = "sk-ant";
        Assert.Equal(["sk-ant", "sk-rotated"], (await source.ReadAsync(["openai", "anthropic"], Ct)).Values.Order());
    }

    [Fact]
    public async Task Secrets_are_read_and_one_that_is_not_there_is_left_out()
    {
        _services.Secrets["ai-platform/anthropic-api-key"] = "sk-ant";

        Assert.Equal([new("anthropic", "sk-ant")], await new SecretProviderKeys(_aws, "ai-platform").ReadAsync(["openai", "anthropic"], Ct));
    }

    [Theory]
    [InlineData("AccessDeniedException")]
    [InlineData("ThrottlingException")]
    [InlineData("InternalServerError")]
    public async Task What_cannot_be_read_is_told_by_its_code(string code)
    {
        _services.Failing = code;

        var parameters = await Assert.ThrowsAsync<PlatformKeysUnreadableException>(() => new SsmProviderKeys(_aws, "/ai-platform").ReadAsync(["openai"], Ct));
        var secrets = await Assert.ThrowsAsync<PlatformKeysUnreadableException>(() => new SecretProviderKeys(_aws, "ai-platform").ReadAsync(["openai"], Ct));

        Assert.Contains(code, parameters.Message, StringComparison.Ordinal);
        Assert.Contains(code, secrets.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_key_opens_under_its_name_and_under_no_other()
    {
        var kms = Kms();
        var made = await kms.MakeAsync(Mine, Ct);

        Assert.Equal(32, made.DataKey.Length);
        Assert.True(kms.Knows(made.MasterKey));
        Assert.False(kms.Knows("00112233aabbccdd"));
        Assert.Equal(made.DataKey.ToArray(), await kms.UnwrapAsync(Mine, made.Wrapped, Ct));
        Assert.Null(await kms.UnwrapAsync(Mine with { Tenant = new TenantId("other") }, made.Wrapped, Ct));
        Assert.Null(await kms.UnwrapAsync(Mine with { Key = null }, made.Wrapped, Ct));
        Assert.Null(await kms.UnwrapAsync(Mine with { Provider = "anthropic" }, made.Wrapped, Ct));
        Assert.Equal(["GenerateDataKey", "Decrypt", "Decrypt", "Decrypt", "Decrypt"], _services.Called);
    }

    [Fact]
    public async Task A_data_key_of_before_is_wrapped_as_it_is()
    {
        var (kms, key) = (Kms(), RandomNumberGenerator.GetBytes(32));

        var wrapped = await kms.WrapAsync(Mine, key, Ct);

        Assert.Equal(key, await kms.UnwrapAsync(Mine, wrapped.Wrapped, Ct));
        Assert.StartsWith("kms:arn:aws:kms:", wrapped.MasterKey, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_KMS_refuses_is_told_by_its_code()
    {
        var made = await Kms().MakeAsync(Mine, Ct);
        _services.Failing = "DisabledException";

        Assert.Contains("DisabledException", (await Assert.ThrowsAsync<MasterKeyUnavailableException>(() => Kms().MakeAsync(Mine, Ct))).Message, StringComparison.Ordinal);
        Assert.Contains("DisabledException", (await Assert.ThrowsAsync<MasterKeyUnavailableException>(() => Kms().UnwrapAsync(Mine, made.Wrapped, Ct))).Message, StringComparison.Ordinal);
    }

    private KmsMasterKey Kms() => new(_aws, new KmsOptions { KeyId = "alias/penstock" });
}
