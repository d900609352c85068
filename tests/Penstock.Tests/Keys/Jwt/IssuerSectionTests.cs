using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Contracts;
using Penstock.Keys;
using Penstock.Keys.Jwt;
using Penstock.Tests.Configuration;
using Xunit;

namespace Penstock.Tests.Keys.Jwt;

public sealed class IssuerSectionTests : IDisposable
{
    private const string Cognito = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcD";

    private readonly JwksHttp _http = new(new ManualTime());

    public void Dispose() => _http.Dispose();

    [Fact]
    public void What_is_not_given_is_as_documented()
    {
        var issuer = Read("""{"issuers": {"a": {"issuer": "https://id.example.com", "audiences": ["penstock"]}}}""");

        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(15)), (issuer.ClockSkew, issuer.LongestLife));
        Assert.Equal(["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"], issuer.Algorithms);
        Assert.Equal(("scope", "", Scopes.None, null), (issuer.ScopeClaim, issuer.ScopePrefix, issuer.DefaultScopes, issuer.TokenUse));
        Assert.Equal(("default", "default", null), (issuer.Tenant.Value, issuer.Project.Value, issuer.JwksUrl));
    }

    [Fact]
    public void A_pool_of_Cognito_s_gives_access_tokens_unless_told_otherwise()
    {
        Assert.Equal("access", Read($$"""{"issuers": {"a": {"issuer": "{{Cognito}}", "clientIds": ["c"] } } }""").TokenUse);
        Assert.Equal("id", Read($$"""{"issuers": {"a": {"issuer": "{{Cognito}}", "audiences": ["c"], "tokenUse": "id"} } }""").TokenUse);
    }

    [Theory]
    [InlineData("\"issuer\": \"http://id.example.com\"", "issuers.a.issuer")]
    [InlineData("\"issuer\": \"ftp://id.example.com\"", "issuers.a.issuer")]
    [InlineData("\"issuer\": \"https://user@id.example.com\"", "issuers.a.issuer")]
    [InlineData("\"issuer\": \"https://id.example.com?a=b\"", "issuers.a.issuer")]
    [InlineData("\"issuer\": \"id.example.com\"", "issuers.a.issuer")]
    [InlineData("\"issuer\": \"https://a.b\", \"jwksUrl\": \"http://127.0.0.1/jwks\"", "issuers.a.jwksUrl")]
    [InlineData("\"issuer\": \"https://a.b\", \"jwksUrl\": \"http://a.b/jwks\"", "issuers.a.jwksUrl")]
    [InlineData("\"issuer\": \"https://a.b\", \"algorithms\": [\"HS256\"]", "issuers.a.algorithms[0]")]
    [InlineData("\"issuer\": \"https://a.b\", \"algorithms\": [\"none\"]", "issuers.a.algorithms[0]")]
    [InlineData("\"issuer\": \"https://a.b\", \"algorithms\": []", "issuers.a.algorithms")]
    [InlineData("\"issuer\": \"https://a.b\", \"clockSkewSeconds\": 301", "issuers.a.clockSkewSeconds")]
    [InlineData("\"issuer\": \"https://a.b\", \"maxLifetimeMinutes\": 0", "issuers.a.maxLifetimeMinutes")]
    [InlineData("\"issuer\": \"https://a.b\", \"tokenUse\": \"refresh\"", "issuers.a.tokenUse")]
    [InlineData("\"issuer\": \"https://a.b\", \"scopes\": {\"x\": \"root\"}", "issuers.a.scopes.x")]
    [InlineData("\"issuer\": \"https://a.b\", \"defaultScopes\": [\"root\"]", "issuers.a.defaultScopes[0]")]
    [InlineData("\"issuer\": \"https://a.b\", \"tenant\": \"a b\"", "issuers.a.tenant")]
    [InlineData("\"issuer\": \"https://a.b\", \"tenant\": \"t\", \"tenantClaim\": \"c\"", "issuers.a.tenantClaim")]
    [InlineData("\"issuer\": \"https://a.b\", \"audience\": \"x\"", "issuers.a.audience")]
    [InlineData("\"jwksUrl\": \"https://a.b\"", "issuers.a.issuer")]
    public void A_bad_entry_is_refused_by_name(string entry, string field) =>
        Assert.Contains($"'{field}'", Assert.Single(Section().Read($$"""{"issuers": {"a": {"audiences": ["p"], {{entry}} } } }""")), StringComparison.Ordinal);

    [Fact]
    public void An_issuer_whose_every_token_would_be_good_and_two_of_one_name_are_refused()
    {
        Assert.Contains("'audiences' or 'clientIds'", Assert.Single(Section().Read("""{"issuers": {"a": {"issuer": "https://a.b"}}}""")), StringComparison.Ordinal);
        Assert.Contains("'issuers.b.issuer'", Assert.Single(Section().Read("""{"issuers": {"a": {"issuer": "https://a.b", "audiences": ["x"]}, "b": {"issuer": "https://a.b", "audiences": ["y"]}}}""")), StringComparison.Ordinal);
        Assert.Contains("'issuers.a b'", Assert.Single(Section().Read("""{"issuers": {"a b": {"issuer": "https://a.b", "audiences": ["x"]}}}""")), StringComparison.Ordinal);
    }

    private Issuer Read(string json)
    {
        var section = Section();
        Assert.Empty(section.Read(json));
        return Assert.Single(section.Current.Issuers.Values).Rules;
    }

    private IssuerSection Section() => new(_http, new ManualTime(), NullLogger<IssuerSection>.Instance);
}
