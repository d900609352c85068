using System.Security.Cryptography;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Configuration;
using Penstock.Tests.Http;
using Xunit;

namespace Penstock.Tests.Keys;

/// <summary>Stored provider keys under a master key that a service keeps.</summary>
public sealed class MasterKeyServiceTests : IDisposable
{
    private static readonly ProviderKeyName Mine = new(new TenantId("acme"), new KeyId("k1"), "openai");

    private readonly ManualTime _time = new();
    private readonly LogSink _log = new();
    private readonly Service _service = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task What_was_sealed_opens_for_its_caller_without_asking_the_service_again_for_minutes()
    {
        var masters = Masters();
        var key = await masters.SealAsync(Mine, "sk-own-0123456789", _time.GetUtcNow(), Ct);
        Assert.Equal("kms:1", key.MasterKey);

        for (var i = 0; i < 50; i++)
        {
            await masters.PrepareAsync([key], Ct);
            Assert.Equal("sk-own-0123456789", masters.Open(Caller(key), "openai"));
            _time.Advance(TimeSpan.FromSeconds(5));
        }

        Assert.Equal(1, _service.Unwraps);
        _time.Advance(UnwrappedKeys.Fresh);
        await masters.PrepareAsync([key], Ct);
        Assert.Equal(2, _service.Unwraps);
    }

    [Fact]
    public async Task What_the_service_no_longer_unwraps_opens_no_longer_than_some_minutes()
    {
        var masters = Masters();
        var key = await masters.SealAsync(Mine, "sk-own-0123456789", _time.GetUtcNow(), Ct);
        await masters.PrepareAsync([key], Ct);
        _service.Failing = true;

        for (var passed = TimeSpan.Zero; passed < UnwrappedKeys.Fresh; passed += UnwrappedKeys.Pause)
        {
            Assert.NotNull(masters.Open(Caller(key), "openai"));
            _time.Advance(UnwrappedKeys.Pause);
            await masters.PrepareAsync([key], Ct);
        }

        Assert.Equal("provider_key_sealed", Assert.Throws<RefusedException>(() => masters.Open(Caller(key), "openai")).Refusal.Code);
        _service.Failing = false;
        _time.Advance(UnwrappedKeys.Pause);
        await masters.PrepareAsync([key], Ct);
        Assert.NotNull(masters.Open(Caller(key), "openai"));
    }

    [Fact]
    public async Task A_service_that_fails_is_not_asked_at_each_call()
    {
        var masters = Masters();
        var key = await masters.SealAsync(Mine, "sk-own-0123456789", _time.GetUtcNow(), Ct);
        _service.Failing = true;

        for (var i = 0; i < 100; i++) await masters.PrepareAsync([key], Ct);

        Assert.Equal(1, _service.Unwraps);
        Assert.DoesNotContain(_log.Lines, line => line.Text.Contains("sk-own", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_key_that_was_moved_to_another_name_does_not_open()
    {
        var masters = Masters();
        var key = await masters.SealAsync(Mine, "sk-own-0123456789", _time.GetUtcNow(), Ct);
        await masters.PrepareAsync([key], Ct);
        var moved = key with { Name = Mine with { Tenant = new TenantId("other") } };
        await masters.PrepareAsync([moved], Ct);

        Assert.Throws<RefusedException>(() => masters.Open(Caller(moved), "openai"));
        Assert.NotNull(masters.Open(Caller(key), "openai"));
    }

    [Fact]
    public async Task Nothing_is_sealed_while_the_service_does_not_answer()
    {
        _service.Failing = true;

        var refused = await Assert.ThrowsAsync<RefusedException>(() => Masters().SealAsync(Mine, "sk-own-0123456789", _time.GetUtcNow(), Ct));

        Assert.Equal(("master_key_unavailable", RefusalKind.Unavailable), (refused.Refusal.Code, refused.Refusal.Kind));
    }

    [Fact]
    public async Task What_a_key_of_the_environment_sealed_still_opens_and_is_put_under_the_service()
    {
        var before = new MasterKeys(Sections.Environment(("PENSTOCK_MASTER_KEY", Callers.MasterKey)), _log.For<MasterKeys>());
        var old = await before.SealAsync(Mine, "sk-own-0123456789", _time.GetUtcNow(), Ct);
        var masters = Masters(("PENSTOCK_MASTER_KEY", Callers.MasterKey));
        Assert.Equal("sk-own-0123456789", masters.Open(Caller(old), "openai"));

        var now = await masters.RewrapAsync(old, Ct);

        Assert.Equal("kms:1", now!.MasterKey);
        var only = Masters();
        await only.PrepareAsync([now], Ct);
        Assert.Equal("sk-own-0123456789", only.Open(Caller(now), "openai"));
        Assert.Null(await Masters().RewrapAsync(old, Ct));
    }

    private MasterKeys Masters(params (string Name, string? Value)[] environment) => new(Sections.Environment(environment), _log.For<MasterKeys>(), _service, _time);

    private static Caller Caller(SealedProviderKey key) => new(Callers.Key(Callers.Text("k1"), DateTimeOffset.UnixEpoch)) { ProviderKeys = [key] };

    /// <summary>As KMS does: what it wrapped opens under its name only.</summary>
    private sealed class Service : IMasterKeyService
    {
        private readonly byte[] _master = RandomNumberGenerator.GetBytes(32);

        public string Name => "a test's service";

        public bool Failing { get; set; }

        public int Unwraps { get; private set; }

        public bool Knows(string masterKey) => masterKey.StartsWith("kms:", StringComparison.Ordinal);

        public Task<WrappedDataKey> MakeAsync(ProviderKeyName name, CancellationToken ct) => WrapAsync(name, RandomNumberGenerator.GetBytes(32), ct);

        public Task<WrappedDataKey> WrapAsync(ProviderKeyName name, ReadOnlyMemory<byte> dataKey, CancellationToken ct) =>
            Failing ? throw new MasterKeyUnavailableException("DisabledException") : Task.FromResult(new WrappedDataKey("kms:1", dataKey, Envelope.Seal(_master, dataKey.Span, Bound(name))));

        public Task<byte[]?> UnwrapAsync(ProviderKeyName name, ReadOnlyMemory<byte> wrapped, CancellationToken ct)
        {
            Unwraps++;
            return Failing ? throw new MasterKeyUnavailableException("DisabledException") : Task.FromResult(Envelope.Open(_master, wrapped.Span, Bound(name)));
        }

        private static byte[] Bound(ProviderKeyName name) => System.Text.Encoding.UTF8.GetBytes($"{name.Tenant}|{name.Key}|{name.Provider}");
    }
}
