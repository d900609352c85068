using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Keys.Jwt;
using Penstock.Tests.Configuration;
using Xunit;

namespace Penstock.Tests.Keys.Jwt;

/// <summary>Tokens against an issuer on a real socket.</summary>
public sealed class TokensTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private static readonly TestKey Pair = TestKey.Rsa("k1");

    private readonly TestKey _key = Pair;
    private readonly JwksHttp _http;
    private readonly IssuerSection _section;
    private readonly Tokens _tokens;
    private TestIssuer _issuer = null!;

    public TokensTests()
    {
        _http = new JwksHttp(_time);
        _section = new IssuerSection(_http, _time, NullLogger<IssuerSection>.Instance);
        _tokens = new Tokens(_section, _time);
    }

    private DateTimeOffset Now => _time.GetUtcNow();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _issuer = await TestIssuer.StartAsync(_key);
        Configure();
    }

    public async ValueTask DisposeAsync()
    {
        await _issuer.DisposeAsync();
        _http.Dispose();
    }

    [Fact]
    public async Task A_token_of_the_issuer_stands_for_a_key()
    {
        Configure("\"project\": \"search\", \"tenant\": \"acme\", \"requestsPerSecond\": 7, \"monthlyBudget\": 2.5, \"models\": [\"fast\"]");

        var key = await _tokens.AuthenticateAsync(Token(), Ct);
        var again = await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"n\": 1")), Ct);

        Assert.Equal(("acme", "search", "pool"), (key.Tenant.Value, key.Project.Value, key.Name));
        Assert.Equal((7.0, Money.FromUsd(2.5m)), (key.RequestsPerSecond, key.MonthlyBudget));
        Assert.Equal(["fast"], key.Models);
        Assert.Equal(Scopes.Complete, key.Scopes);
        Assert.Equal(Now.AddMinutes(10), key.ExpiresAt);
        Assert.Equal(key.Id, again.Id);
        // As docs/guide/keys.md says it can be computed.
        Assert.Equal("jwt-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{_issuer.Url}\n{Claims.Client}")))[..32], key.Id.Value);
    }

    [Theory]
    [InlineData("RS384")]
    [InlineData("RS512")]
    [InlineData("PS256")]
    public async Task Each_algorithm_lets_in(string algorithm) => Assert.NotNull(await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now), algorithm), Ct));

    [Fact]
    public async Task Nothing_unsigned_wrongly_signed_or_signed_with_what_is_public_lets_in()
    {
        var (payload, stranger) = (Claims.Access(_issuer.Url, Now), TestKey.Rsa("k1"));
        var good = Token().Split('.');

        await RefusedAsync($"{TestKey.Part("""{"alg": "none"}""")}.{TestKey.Part(payload)}.", "alg");
        await RefusedAsync($"{TestKey.Part("""{"alg": "none"}""")}.{good[1]}.{good[2]}", "alg");
        await RefusedAsync(Hmac("""{"alg": "HS256", "kid": "k1"}""", payload, Encoding.UTF8.GetBytes(_key.Pem)), "alg");
        await RefusedAsync(Hmac("""{"alg": "HS256", "kid": "k1"}""", payload, Encoding.UTF8.GetBytes(_key.Jwk)), "alg");
        await RefusedAsync(Hmac("""{"alg": "RS256", "kid": "k1"}""", payload, Encoding.UTF8.GetBytes(_key.Pem)), "signature");
        await RefusedAsync(stranger.Sign(payload), "signature");
        await RefusedAsync(TestKey.Ec("k1").Sign(payload, "ES256"), "kid");
        await RefusedAsync($"{good[0]}.{TestKey.Part(Claims.Access(_issuer.Url, Now, "\"admin\": true"))}.{good[2]}", "signature");
        await RefusedAsync(TestKey.Rsa("k2").Sign(payload), "kid");
        // Its own key in the header, as RFC 7515 allows it to be sent along.
        await RefusedAsync(stranger.Sign(payload, header: $$"""{"alg": "RS256", "kid": "k1", "jwk": {{stranger.Jwk}}, "jku": "{{_issuer.Url}}/elsewhere"}"""), "signature");
    }

    [Fact]
    public async Task Only_the_algorithms_that_are_configured_count()
    {
        Configure("\"algorithms\": [\"PS256\"]");

        await RefusedAsync(Token(), "Allowed: PS256");
        Assert.NotNull(await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now), "PS256"), Ct));
    }

    [Theory]
    [InlineData("""{"alg": "RS256", "kid": "k1", "typ": "logout+jwt"}""", "typ")]
    [InlineData("""{"alg": "RS256", "kid": "k1", "typ": 5}""", "'typ'")]
    [InlineData("""{"alg": "RS256", "kid": "k1", "crit": ["exp"], "exp": 5}""", "crit")]
    [InlineData("""{"alg": "RS256", "kid": "k1", "crit": null}""", "crit")]
    [InlineData("""{"alg": "RS256", "kid": 1}""", "'kid'")]
    [InlineData("""{"kid": "k1"}""", "alg")]
    [InlineData("""{"alg": "RS256", "kid": "k1", "alg": "none"}""", "twice")]
    [InlineData("""["RS256"]""", "header")]
    [InlineData("no json", "header")]
    public async Task A_header_that_is_not_as_it_must_be_is_refused(string header, string why) => await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now), header: header), why);

    [Theory]
    [InlineData("at+jwt")]
    [InlineData("application/at+JWT")]
    [InlineData("jwt")]
    public async Task Types_of_access_tokens_let_in(string type) =>
        Assert.NotNull(await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now), header: $$"""{"alg": "RS256", "kid": "k1", "typ": "{{type}}"}"""), Ct));

    [Fact]
    public async Task What_is_no_token_is_refused_before_anything_is_looked_up()
    {
        var parts = Token().Split('.');

        await RefusedAsync($"{parts[0]}.{parts[1]}", "three parts");
        await RefusedAsync($"{parts[0]}.{parts[1]}.{parts[2]}.a.b", "three parts");
        await RefusedAsync($"{parts[0]}.{parts[1]}.{parts[2]}=", "base64url");
        await RefusedAsync($"{parts[0]}.{parts[1]}.{parts[2]} ", "base64url");
        await RefusedAsync($"{parts[0]}.{parts[1]}a.{parts[2]}", "payload");
        await RefusedAsync(_key.Sign($$"""{"pad": "{{new string('a', 16_000)}}", {{Claims.Access(_issuer.Url, Now)[1..]}}"""), "longer");
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"sub\": \"somebody else\"")), "twice");
        await RefusedAsync(_key.Sign("""{"sub": "a"}"""), "iss");
        Assert.Equal(0, _issuer.Asked);
    }

    /// <summary>One value has one spelling: spare bits in the last character would make a second token of one.</summary>
    [Fact]
    public async Task A_signature_with_spare_bits_is_refused()
    {
        var token = Token();
        const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 256 bytes leave two bits of the last character's six.
        var other = token[..^1] + Alphabet[Alphabet.IndexOf(token[^1], StringComparison.Ordinal) ^ 1];

        await RefusedAsync(other, "base64url");
    }

    [Fact]
    public async Task A_token_is_good_from_when_it_says_until_it_expires()
    {
        var early = _key.Sign(Claims.Access(_issuer.Url, Now, $"\"nbf\": {Now.AddSeconds(31).ToUnixTimeSeconds()}"));
        var future = _key.Sign(Claims.Access(_issuer.Url, Now.AddSeconds(31)));
        var token = Token();

        await RefusedAsync(early, "nbf");
        await RefusedAsync(future, "iat");
        Assert.NotNull(await _tokens.AuthenticateAsync(token, Ct));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.NotNull(await _tokens.AuthenticateAsync(early, Ct));
        Assert.NotNull(await _tokens.AuthenticateAsync(future, Ct));
        // 30 s for clocks that differ, and not one more, though it is known by now.
        _time.Advance(TimeSpan.FromMinutes(10) + TimeSpan.FromSeconds(28));
        Assert.NotNull(await _tokens.AuthenticateAsync(token, Ct));
        _time.Advance(TimeSpan.FromSeconds(1));
        await RefusedAsync(token, "expired");
    }

    [Theory]
    [InlineData("exp", "253402300799")]
    [InlineData("exp", "253402300770.5")]
    [InlineData("exp", "1e300")]
    [InlineData("exp", "-1")]
    [InlineData("iat", "253402300799")]
    [InlineData("iat", "0")]
    [InlineData("nbf", "253402300799")]
    public async Task A_time_at_the_end_of_all_time_is_refused_as_any_other(string claim, string time)
    {
        var payload = Claims.Access(_issuer.Url, Now, "\"nbf\": 1");

        await RefusedAsync(_key.Sign(System.Text.RegularExpressions.Regex.Replace(payload, $"\"{claim}\": [0-9]+", $"\"{claim}\": {time}")), "'");
    }

    [Fact]
    public async Task A_token_may_live_for_fifteen_minutes_unless_its_issuer_is_allowed_more()
    {
        var hour = _key.Sign(Claims.Access(_issuer.Url, Now, minutes: 60));
        Assert.NotNull(await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now, minutes: 15)), Ct));
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now, minutes: 16)), "15 minutes");
        // An old one of an hour has only minutes left, and is refused all the same.
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now.AddMinutes(-55), minutes: 60)), "15 minutes");
        await RefusedAsync(hour, "15 minutes");

        Configure("\"maxLifetimeMinutes\": 60");

        Assert.NotNull(await _tokens.AuthenticateAsync(hour, Ct));
    }

    [Theory]
    [InlineData("exp", "'exp'")]
    [InlineData("iat", "'iat'")]
    [InlineData("sub", "'sub'")]
    [InlineData("iss", "iss")]
    [InlineData("client_id", "client_id")]
    [InlineData("token_use", "token_use")]
    public async Task A_claim_that_is_missing_or_null_or_of_another_kind_is_named(string claim, string why)
    {
        var payload = Claims.Access(_issuer.Url, Now);
        var member = System.Text.RegularExpressions.Regex.Match(payload, $"\"{claim}\": (\"[^\"]*\"|[0-9]+)").Value;

        await RefusedAsync(_key.Sign(payload.Replace(member, "\"x\": 1", StringComparison.Ordinal)), why);
        await RefusedAsync(_key.Sign(payload.Replace(member, $"\"{claim}\": null", StringComparison.Ordinal)), why);
        await RefusedAsync(_key.Sign(payload.Replace(member, $"\"{claim}\": {{}}", StringComparison.Ordinal)), why);
    }

    [Fact]
    public async Task Only_tokens_for_us_let_in()
    {
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now).Replace($"\"client_id\": \"{Claims.Client}\"", "\"client_id\": \"another\"", StringComparison.Ordinal)), "client_id");
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now).Replace("\"access\"", "\"id\"", StringComparison.Ordinal)), "token_use");
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url + "/", Now)), "iss");
        // It says for whom it is, and that is nobody here.
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"aud\": \"billing\"")), "aud");

        Configure("\"audiences\": [\"penstock\"]");

        await RefusedAsync(Token(), "aud");
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"aud\": [\"billing\", \"Penstock\"]")), "aud");
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"aud\": [\"penstock\", 5]")), "aud");
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"aud\": []")), "aud");
        Assert.NotNull(await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"aud\": [\"billing\", \"penstock\"]")), Ct));
        Assert.NotNull(await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"aud\": \"penstock\"")), Ct));
    }

    [Theory]
    [InlineData("penstock/ai:complete penstock/ai:embed", "ai:complete ai:embed")]
    [InlineData("penstock/agents", "agent:run")]
    [InlineData("penstock/all", "ai:complete ai:embed agent:run")]
    [InlineData("ai:complete other/ai:complete openid", "ai:embed")]
    [InlineData("penstock/ai:complete penstock/admin penstock/operator", "ai:complete")]
    [InlineData("penstock/boss", "admin")]
    [InlineData("", "ai:embed")]
    public async Task Scopes_are_mapped_and_an_operator_is_never_made_by_a_name(string given, string scopes)
    {
        Configure("""  "scopes": {"agents": "agent:run", "all": ["ai:complete", "ai:embed", "agent:run"], "boss": "admin"}, "defaultScopes": ["ai:embed"]  """);

        var key = await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now, scope: given)), Ct);

        Assert.Equal(scopes, string.Join(' ', ScopeNames.Of(key.Scopes)));
    }

    [Fact]
    public async Task A_list_of_groups_can_be_scopes_and_what_is_mapped_on_purpose_is_an_operator()
    {
        Configure("""  "scopeClaim": "cognito:groups", "scopes": {"penstock/platform": "operator"}, "scopePrefix": "penstock/"  """);
        var groups = """  "cognito:groups": ["penstock/ai:complete", "penstock/platform"]  """;
        await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now, "\"cognito:groups\": {}")), "cognito:groups");

        Assert.Equal(Scopes.Complete, (await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now, groups)), Ct)).Scopes);
        Configure("""  "scopeClaim": "cognito:groups", "scopes": {"platform": "operator"}, "scopePrefix": "penstock/"  """);
        Assert.Equal(Scopes.Complete | Scopes.Operator, (await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now, groups)), Ct)).Scopes);
    }

    [Fact]
    public async Task A_tenant_and_a_project_can_come_from_claims_and_are_plain_names_then()
    {
        Configure("""  "tenantClaim": "custom:tenant", "projectClaim": "project"  """);

        var key = await _tokens.AuthenticateAsync(_key.Sign(Claims.Access(_issuer.Url, Now, """  "custom:tenant": "acme", "project": "a.b-c_D9"  """)), Ct);

        Assert.Equal(("acme", "a.b-c_D9"), (key.Tenant.Value, key.Project.Value));
        await RefusedAsync(Token(), "tenant");
        foreach (var bad in new[] { "\"\"", "\"a b\"", "\"a#b\"", "\"a\\n\"", "\"../x\"", "[\"acme\"]", "7", "null", $"\"{new string('a', 65)}\"" })
            await RefusedAsync(_key.Sign(Claims.Access(_issuer.Url, Now, $"\"custom:tenant\": {bad}, \"project\": \"p\"")), "custom:tenant");
    }

    [Fact]
    public async Task An_issuer_that_is_taken_out_lets_nobody_in_from_that_moment()
    {
        var token = Token();
        await _tokens.AuthenticateAsync(token, Ct);

        Assert.Empty(_section.Read("{}"));

        await RefusedAsync(token, "no issuer is configured");
        Configure("\"maxLifetimeMinutes\": 1");
        await RefusedAsync(token, "1 minutes");
    }

    [Fact]
    public async Task A_token_is_verified_once_and_a_change_of_rules_asks_nobody_for_keys()
    {
        var token = Token();
        var first = await _tokens.AuthenticateAsync(token, Ct);

        Assert.Same(first, await _tokens.AuthenticateAsync(token, Ct));
        Configure("\"project\": \"other\"");
        var other = await _tokens.AuthenticateAsync(token, Ct);

        Assert.Equal("other", other.Project.Value);
        Assert.Equal(1, _issuer.Asked);
    }

    [Fact]
    public async Task No_message_repeats_the_token()
    {
        foreach (var token in new[] { Token()[..^4] + "AAAA", _key.Sign(Claims.Access(_issuer.Url, Now.AddDays(-1), "\"email\": \"anna@example.com\"")), TestKey.Rsa("stranger").Sign(Claims.Access(_issuer.Url, Now)) })
        {
            var message = await RefusedAsync(token, "token");
            Assert.All(token.Split('.'), part => Assert.DoesNotContain(part[..12], message, StringComparison.Ordinal));
            Assert.All(["anna", "stranger", Claims.Client], part => Assert.DoesNotContain(part, message, StringComparison.Ordinal));
        }
    }

    private void Configure(string more = "") => Assert.Empty(_section.Read(
        $$"""{"issuers": {"pool": {"issuer": "{{_issuer.Url}}", "clientIds": ["{{Claims.Client}}"], "tokenUse": "access"{{(more.Contains("scopePrefix", StringComparison.Ordinal) ? "" : ", \"scopePrefix\": \"penstock/\"")}}{{(more.Length == 0 ? "" : ", " + more)}} } } }"""));

    private string Token() => _key.Sign(Claims.Access(_issuer.Url, Now));

    private async Task<string> RefusedAsync(string token, string why)
    {
        var refusal = (await Assert.ThrowsAsync<RefusedException>(() => _tokens.AuthenticateAsync(token, Ct).AsTask())).Refusal;
        Assert.Equal((401, "invalid_token"), (refusal.Status, refusal.Code));
        Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
        return refusal.Message;
    }

    private static string Hmac(string header, string payload, byte[] key)
    {
        var signed = $"{TestKey.Part(header)}.{TestKey.Part(payload)}";
        return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(signed)))}";
    }
}
