using System.Collections.Concurrent;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Gateway.Routing;
using Penstock.Tests.Configuration;
using Penstock.Tests.Http;
using Xunit;

namespace Penstock.Tests.Gateway.Routing;

public sealed class PlatformKeyTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly LogSink _log = new();
    private readonly Place _place = new();
    private readonly KeyedKind _openAi = new("openai");
    private readonly KeyedKind _anthropic = new("anthropic");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task A_rotated_key_is_used_within_a_minute()
    {
        _place.Keys["openai"] = "sk-one";
        var keys = Keys();
        await keys.ReadAsync(Ct);
        var section = Section(keys);
        using var refresh = new PlatformKeyRefresh(keys, section, _time);
        await refresh.StartAsync(Ct);
        await GatewayHost.UntilAsync(() => _time.NextDue is not null);
        Assert.Equal("sk-one", Key(section, "openai"));

        _place.Keys["openai"] = "sk-two";
        var at = _time.GetUtcNow();
        while (Key(section, "openai") != "sk-two" && _time.GetUtcNow() - at < TimeSpan.FromMinutes(2))
        {
            var reads = _place.Reads;
            _time.Advance(PlatformKeys.Every);
            while (_place.Reads == reads) await Task.Yield();
            for (var i = 0; i < 100 && Key(section, "openai") != "sk-two"; i++) await Task.Yield();
        }

        Assert.Equal("sk-two", Key(section, "openai"));
        Assert.InRange(_time.GetUtcNow() - at, TimeSpan.Zero, TimeSpan.FromSeconds(60));
        await refresh.StopAsync(Ct);
    }

    [Fact]
    public async Task A_read_that_fails_keeps_the_last_good_key_and_says_so_now_and_then()
    {
        _place.Keys["openai"] = "sk-good";
        var keys = Keys();
        await keys.ReadAsync(Ct);
        _place.Failing = "AccessDeniedException";

        for (var i = 0; i < 30; i++)
        {
            Assert.False(await keys.ReadAsync(Ct));
            _time.Advance(PlatformKeys.Every);
        }

        Assert.Equal("sk-good", keys.Of("openai"));
        var told = _log.Lines.Where(line => line.Text.Contains("AccessDeniedException", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, told.Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sk two")]
    [InlineData("sk-ü")]
    [InlineData(null)]
    public async Task A_key_that_is_none_or_gone_changes_nothing(string? now)
    {
        _place.Keys["openai"] = "sk-good";
        var keys = Keys();
        await keys.ReadAsync(Ct);

        if (now is null) _place.Keys.TryRemove("openai", out _);
        else _place.Keys["openai"] = now;
        Assert.False(await keys.ReadAsync(Ct));
        Assert.False(await keys.ReadAsync(Ct));

        Assert.Equal("sk-good", keys.Of("openai"));
        Assert.Single(_log.Lines, line => line.Text.Contains("The last good one serves on", StringComparison.Ordinal));
    }

    [Fact]
    public async Task No_line_of_the_log_has_a_key()
    {
        _place.Keys["openai"] = "sk-secret-one";
        var keys = Keys();
        await keys.ReadAsync(Ct);
        _place.Keys["openai"] = "sk-secret two";
        await keys.ReadAsync(Ct);
        _place.Keys["openai"] = "sk-secret-three";
        await keys.ReadAsync(Ct);

        Assert.True(_log.Lines.Count >= 3);
        Assert.DoesNotContain(_log.Lines, line => line.Text.Contains("sk-secret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_vendor_is_there_once_its_key_is()
    {
        var keys = Keys();
        await keys.ReadAsync(Ct);
        var section = Section(keys);
        Assert.DoesNotContain("anthropic", section.Current.Providers.Keys);

        _place.Keys["anthropic"] = "sk-ant";
        Assert.True(await keys.ReadAsync(Ct));
        section.Refresh();

        Assert.Equal("sk-ant", Key(section, "anthropic"));
        Assert.DoesNotContain("openai", section.Current.Providers.Keys);
    }

    [Fact]
    public async Task A_provider_that_the_file_names_never_gets_the_platforms_key()
    {
        _place.Keys["openai"] = "sk-platform";
        var keys = Keys();
        await keys.ReadAsync(Ct);

        var section = Section(keys, """{"providers":{"openai":{"baseUrl":"https://another.example/v1"}}}""");

        Assert.Null(Key(section, "openai"));
    }

    [Fact]
    public async Task A_key_of_the_place_goes_before_that_of_the_environment_which_serves_until_the_first_is_read()
    {
        var keys = Keys();
        var section = Section(keys, "{}", ("OPENAI_API_KEY", "sk-environment"));
        Assert.Equal("sk-environment", Key(section, "openai"));

        _place.Keys["openai"] = "sk-place";
        await keys.ReadAsync(Ct);
        section.Refresh();

        Assert.Equal("sk-place", Key(section, "openai"));
    }

    private PlatformKeys Keys() => new([_place], _time, _log.For<PlatformKeys>());

    private RoutingSection Section(PlatformKeys keys, string json = "{}", params (string Name, string? Value)[] environment)
    {
        var section = new RoutingSection([_openAi, _anthropic, new ScriptedKind("local", Dialect.Native)], Sections.Environment(environment), keys);
        Assert.Empty(section.Read(json));
        return section;
    }

    private string? Key(RoutingSection section, string vendor)
    {
        var kind = vendor == "openai" ? _openAi : _anthropic;
        return kind.Made[section.Current.Providers[vendor]];
    }

    private sealed class Place : IPlatformKeySource
    {
        private int _reads;

        public string Name => "a test";

        public ConcurrentDictionary<string, string> Keys { get; } = new();

        public string? Failing { get; set; }

        public int Reads => Volatile.Read(ref _reads);

        public Task<IReadOnlyDictionary<string, string>> ReadAsync(IReadOnlyList<string> vendors, CancellationToken ct)
        {
            Interlocked.Increment(ref _reads);
            return Failing is { } code ? throw new PlatformKeysUnreadableException(code) : Task.FromResult<IReadOnlyDictionary<string, string>>(Keys.ToDictionary());
        }
    }

    /// <summary>Remembers with which key each provider was made.</summary>
    private sealed class KeyedKind(string kind) : IProviderKind
    {
        private readonly ScriptedKind _inner = new(kind);

        public ConcurrentDictionary<IChatProvider, string?> Made { get; } = new(ReferenceEqualityComparer.Instance);

        public string Kind => kind;

        public IChatProvider Create(ProviderSettings settings)
        {
            var provider = _inner.Create(settings);
            Made[provider] = settings.ApiKey;
            return provider;
        }
    }
}
