using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Keys.Jwt;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Keys.Jwt;

/// <summary>How an issuer's keys are had, kept, changed and given up.</summary>
public sealed class IssuerKeysTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private static readonly TestKey Pair = TestKey.Rsa("k1");
    private static readonly TestKey NextPair = TestKey.Rsa("k2");

    private readonly TestKey _first = Pair;
    private readonly TestKey _second = NextPair;
    private readonly JwksHttp _http;
    private readonly IssuerSection _section;
    private readonly Tokens _tokens;
    private readonly IssuerRefresh _refresh;
    private TestIssuer _issuer = null!;

    public IssuerKeysTests()
    {
        _http = new JwksHttp(_time);
        _section = new IssuerSection(_http, _time, NullLogger<IssuerSection>.Instance);
        (_tokens, _refresh) = (new Tokens(_section, _time), new IssuerRefresh(_section, _time));
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _issuer = await TestIssuer.StartAsync(_first);
        Configure();
    }

    public async ValueTask DisposeAsync()
    {
        await _issuer.DisposeAsync();
        _http.Dispose();
        _refresh.Dispose();
    }

    [Fact]
    public async Task A_new_key_serves_from_its_first_token_on_and_a_removed_one_no_longer_than_until_the_next_look()
    {
        var old = Token(_first);
        await PassesAsync(old);
        _issuer.Keys.Add(_second);
        _time.Advance(IssuerKeys.AskAgain);

        await PassesAsync(Token(_second));
        await PassesAsync(Token(_first));

        _issuer.Keys.Remove(_first);
        _time.Advance(IssuerKeys.Refresh - TimeSpan.FromMinutes(1));
        await PassesAsync(old);
        _time.Advance(TimeSpan.FromMinutes(1));
        await _refresh.RunOnceAsync(Ct);
        // Verified and known, and dead with the key that signed it.
        Assert.Equal(401, (await RefusedAsync(old)).Status);
        Assert.Equal(401, (await RefusedAsync(Token(_first))).Status);
        await PassesAsync(Token(_second));
    }

    [Fact]
    public async Task Keys_are_asked_for_in_the_background_and_never_for_a_token_whose_key_is_known()
    {
        await _refresh.RunOnceAsync(Ct);
        Assert.Equal(1, _issuer.Asked);

        for (var i = 0; i < 100; i++) await PassesAsync(Token(_first, $"\"n\": {i}"));
        await _refresh.RunOnceAsync(Ct);
        Assert.Equal(1, _issuer.Asked);

        _time.Advance(IssuerKeys.Refresh);
        await PassesAsync(Token(_first));
        Assert.Equal(1, _issuer.Asked);
        await _refresh.RunOnceAsync(Ct);
        Assert.Equal(2, _issuer.Asked);
    }

    [Fact]
    public async Task The_server_asks_at_its_start_and_again_before_the_keys_age_out()
    {
        await _refresh.StartAsync(Ct);
        await GatewayHost.UntilAsync(() => _issuer.Asked == 1);

        await GatewayHost.UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(30));
            return _issuer.Asked == 2;
        });

        await _refresh.StopAsync(Ct);
    }

    [Fact]
    public async Task A_thousand_tokens_of_unknown_keys_ask_once()
    {
        await PassesAsync(Token(_first));
        _time.Advance(IssuerKeys.AskAgain);
        var tokens = Enumerable.Range(0, 1000).Select(i => _second.Sign(Claims.Access(_issuer.Url, _time.GetUtcNow()), header: $$"""{"alg": "RS256", "kid": "hostile-{{i}}"}""")).ToArray();

        await Parallel.ForEachAsync(tokens, new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = Ct }, async (token, _) => Assert.Equal(401, (await RefusedAsync(token)).Status));

        Assert.Equal(2, _issuer.Asked);
        _time.Advance(IssuerKeys.AskAgain);
        await RefusedAsync(tokens[0]);
        Assert.Equal(3, _issuer.Asked);
    }

    [Fact]
    public async Task Whoever_needs_the_same_keys_waits_for_the_same_request()
    {
        var (come, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        _issuer.Answer = async http =>
        {
            come.SetResult();
            await go.Task;
            await http.Response.WriteAsync(_issuer.Jwks);
        };
        var calls = Enumerable.Range(0, 20).Select(i => _tokens.AuthenticateAsync(Token(_first, $"\"n\": {i}"), Ct).AsTask()).ToArray();
        await come.Task.WaitAsync(TimeSpan.FromSeconds(30), Ct);

        go.SetResult();
        await Task.WhenAll(calls);

        Assert.Equal(1, _issuer.Asked);
    }

    [Fact]
    public async Task An_issuer_that_is_down_is_believed_for_an_hour_and_nobody_is_after_that()
    {
        var known = Token(_first, minutes: 120);
        Configure("\"maxLifetimeMinutes\": 180");
        await PassesAsync(known);
        _issuer.Answer = http => Fail(http, 503);

        for (var passed = IssuerKeys.Refresh; passed < IssuerKeys.Usable; passed += IssuerKeys.Refresh)
        {
            _time.Advance(IssuerKeys.Refresh);
            await _refresh.RunOnceAsync(Ct);
            await PassesAsync(Token(_first));
        }

        // A key that it might have by now: nobody can say.
        Assert.Equal((503, "issuer_unavailable"), Of(await RefusedAsync(Token(_second))));
        _time.Advance(IssuerKeys.Refresh);
        Assert.Equal((503, "issuer_unavailable"), Of(await RefusedAsync(known)));
        Assert.Equal((503, "issuer_unavailable"), Of(await RefusedAsync(Token(_first))));

        _issuer.Answer = http => http.Response.WriteAsync(_issuer.Jwks);
        _time.Advance(IssuerKeys.AskAgain);
        await PassesAsync(known);
        await PassesAsync(Token(_first));
    }

    [Fact]
    public async Task An_issuer_that_is_down_from_the_start_is_asked_seldom()
    {
        _issuer.Answer = http => Fail(http, 500);

        for (var i = 0; i < 20; i++) Assert.Equal((503, "issuer_unavailable"), Of(await RefusedAsync(Token(_first, $"\"n\": {i}"))));

        Assert.Equal(1, _issuer.Asked);
    }

    [Fact]
    public async Task A_redirect_is_not_followed_and_a_flood_not_read_and_a_silence_not_waited_out()
    {
        _issuer.Answer = http => { http.Response.Redirect("/elsewhere"); return Task.CompletedTask; };
        Assert.Equal(503, (await RefusedAsync(Token(_first))).Status);

        var written = 0L;
        _issuer.Answer = async http =>
        {
            var some = new byte[64 * 1024];
            Array.Fill(some, (byte)' ');
            while (!http.RequestAborted.IsCancellationRequested && written < 64 * 1024 * 1024)
            {
                await http.Response.Body.WriteAsync(some, http.RequestAborted);
                written += some.Length;
            }
        };
        _time.Advance(IssuerKeys.AskAgain);
        Assert.Equal(503, (await RefusedAsync(Token(_first))).Status);
        Assert.True(written < 64 * 1024 * 1024, "It was read to its end.");

        var come = new TaskCompletionSource();
        _issuer.Answer = async http =>
        {
            come.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
        };
        _time.Advance(IssuerKeys.AskAgain);
        var waiting = RefusedAsync(Token(_first));
        await come.Task.WaitAsync(TimeSpan.FromSeconds(30), Ct);
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(503, (await waiting).Status);
    }

    [Theory]
    [InlineData("""{"issuer": "https://evil.example", "jwks_uri": "%/.well-known/jwks.json"}""")]
    [InlineData("""{"issuer": "%/", "jwks_uri": "%/.well-known/jwks.json"}""")]
    [InlineData("""{"issuer": "%", "jwks_uri": "http://169.254.169.254/latest/meta-data"}""")]
    [InlineData("""{"issuer": "%", "jwks_uri": "file:///etc/passwd"}""")]
    [InlineData("""{"issuer": "%", "jwks_uri": "http://somebody@127.0.0.1/.well-known/jwks.json"}""")]
    [InlineData("""{"issuer": "%"}""")]
    [InlineData("[]")]
    public async Task A_discovery_document_of_another_or_that_leads_elsewhere_is_not_believed(string document)
    {
        _issuer.Discovery = document.Replace("%", _issuer.Url, StringComparison.Ordinal).Replace("somebody@127.0.0.1", "somebody@" + _issuer.Url["http://".Length..], StringComparison.Ordinal);

        Assert.Equal(503, (await RefusedAsync(Token(_first))).Status);
        Assert.Equal(0, _issuer.Asked);
    }

    [Fact]
    public async Task Keys_can_be_had_from_an_address_that_is_configured()
    {
        _issuer.Discovery = "[]";
        Configure($"\"jwksUrl\": \"{_issuer.Url}/.well-known/jwks.json\"");

        await PassesAsync(Token(_first));
    }

    [Fact]
    public async Task A_token_without_a_key_s_name_passes_only_where_there_is_no_choice()
    {
        var unnamed = _first.Sign(Claims.Access(_issuer.Url, _time.GetUtcNow()), header: """{"alg": "RS256"}""");
        await PassesAsync(unnamed);

        _issuer.Keys.Add(_second);
        _time.Advance(IssuerKeys.Refresh);
        await _refresh.RunOnceAsync(Ct);

        Assert.Equal(401, (await RefusedAsync(_first.Sign(Claims.Access(_issuer.Url, _time.GetUtcNow()), header: """{"alg": "RS256"}"""))).Status);
    }

    [Fact]
    public async Task A_key_that_is_malformed_or_of_another_kind_spoils_none_of_the_others()
    {
        _issuer.Answer = http => http.Response.WriteAsync($$"""{"keys": [5, {}, {"kty": "RSA", "n": "!", "e": "AQAB"}, {"kty": "oct", "kid": "k1", "k": "AA"}, {"kty": "EC", "crv": "P-256", "kid": "k9", "x": "AQ", "y": "AQ"}, {{_first.Jwk}}]}""");

        await PassesAsync(Token(_first));
        Assert.Equal(401, (await RefusedAsync(TestKey.Ec("k9").Sign(Claims.Access(_issuer.Url, _time.GetUtcNow()), "ES256"))).Status);
    }

    private void Configure(string more = "") =>
        Assert.Empty(_section.Read($$"""{"issuers": {"pool": {"issuer": "{{_issuer.Url}}", "clientIds": ["{{Claims.Client}}"]{{(more.Length == 0 ? "" : ", " + more)}} } } }"""));

    private string Token(TestKey key, string more = "", int minutes = 10) => key.Sign(Claims.Access(_issuer.Url, _time.GetUtcNow(), more, minutes: minutes));

    private async Task PassesAsync(string token) => Assert.NotNull(await _tokens.AuthenticateAsync(token, Ct));

    private async Task<Refusal> RefusedAsync(string token) => (await Assert.ThrowsAsync<RefusedException>(() => _tokens.AuthenticateAsync(token, Ct).AsTask())).Refusal;

    private static (int, string) Of(Refusal refusal) => (refusal.Status, refusal.Code);

    private static Task Fail(HttpContext http, int status)
    {
        http.Response.StatusCode = status;
        return Task.CompletedTask;
    }
}
