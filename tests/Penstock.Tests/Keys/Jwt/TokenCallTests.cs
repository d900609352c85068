using Microsoft.Extensions.DependencyInjection;
using Penstock.Kernel;
using Penstock.Keys.Jwt;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Keys.Jwt;

/// <summary>Whole calls with tokens in the place of keys.</summary>
public sealed class TokenCallTests
{
    private static readonly TestKey Pair = TestKey.Rsa("k1");

    [Fact]
    public async Task A_token_is_a_caller_with_limits_a_budget_and_usage_of_its_own()
    {
        await using var issuer = await TestIssuer.StartAsync(Pair);
        await using var host = await StartAsync(issuer, """  "requestsPerSecond": 1, "burst": 3, "monthlyBudget": 1, "project": "shop"  """);
        var token = Token(issuer, host);

        var chat = await host.ChatAsync(key: token);
        var usage = (await host.GetAsync("/v1/usage", token)).Json;
        var budget = (await host.GetAsync("/v1/usage/budget", token)).Body;

        Assert.Equal(200, chat.Status);
        var row = await host.RowAsync();
        Assert.Equal((TokenClaims.IdOf(issuer.Url, Claims.Client), "shop"), (row.Key, row.Project.Value));
        Assert.Equal((1, row.Cost.Usd), (usage.GetProperty("requests").GetInt32(), usage.GetProperty("totalCost").GetDecimal()));
        Assert.Contains(row.Key.Value, budget, StringComparison.Ordinal);
        // Another token of the same subject is the same caller.
        var statuses = new List<int>();
        foreach (var other in new[] { token, Token(issuer, host, "\"n\": 2"), token }) statuses.Add((await host.ChatAsync(key: other)).Status);
        Assert.Equal([200, 200, 429], statuses);
        Assert.Contains(row.Key.Value, string.Join('\n', host.Log.Own), StringComparison.Ordinal);
        Assert.DoesNotContain(token.Split('.')[2], string.Join('\n', host.Log.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_budget_of_nothing_lets_nothing_pass()
    {
        await using var issuer = await TestIssuer.StartAsync(Pair);
        await using var host = await StartAsync(issuer, "\"monthlyBudget\": 0, \"models\": [\"gpt-4o-mini\"]");

        Assert.Equal(402, (await host.ChatAsync(key: Token(issuer, host))).Status);
        Assert.Equal(403, (await host.ChatAsync("gpt-4o", key: Token(issuer, host))).Status);
    }

    [Fact]
    public async Task A_token_does_what_its_scopes_say_in_its_own_tenant_only()
    {
        await using var issuer = await TestIssuer.StartAsync(Pair);
        await using var host = await StartAsync(issuer, """  "tenantClaim": "custom:tenant", "scopes": {"admin": "admin"}  """);
        var (plain, admin) = (Token(issuer, host, """  "custom:tenant": "acme"  """), Token(issuer, host, """  "custom:tenant": "acme"  """, "penstock/admin penstock/operator"));

        Assert.Equal((403, 403), ((await host.GetAsync("/v1/auth/keys", plain)).Status, (await host.ChatAsync(key: admin)).Status));
        Assert.Equal("""{"keys":[]}""", (await host.GetAsync("/v1/auth/keys", admin)).Body);
        Assert.Equal(403, (await host.GetAsync("/v1/auth/keys?tenant=default", admin)).Status);
        Assert.Equal(403, (await host.PostAsync("/v1/auth/keys", """{"name": "x", "scopes": ["operator"]}""", admin)).Status);
        Assert.Equal(201, (await host.PostAsync("/v1/auth/keys", """{"name": "x", "scopes": ["ai:complete"]}""", admin)).Status);
        // What the tenant stores serves its tokens as its keys.
        Assert.Equal(200, (await host.SendAsync(HttpMethod.Put, "/v1/auth/providers/openai", """{"apiKey": "sk-0123456789"}""", admin)).Status);
        Assert.Equal(200, (await host.ChatAsync(key: plain)).Status);
        Assert.True(Assert.Single(await host.Services.GetRequiredService<IUsageStore>().ListAsync(new TenantId("acme"), new UsageQuery(), 10, TestContext.Current.CancellationToken)).OwnKey);
    }

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/messages")]
    [InlineData("/v1/complete")]
    [InlineData("/v1/embeddings")]
    public async Task A_bad_token_is_401_in_the_shape_of_each_dialect(string route)
    {
        await using var issuer = await TestIssuer.StartAsync(Pair);
        await using var host = await StartAsync(issuer);
        var token = Pair.Sign(Claims.Access(issuer.Url, host.Time.GetUtcNow().AddHours(-2)));

        var answer = await host.PostAsync(route, "{}", token);

        Assert.Equal(401, answer.Status);
        Assert.Contains("expired", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(token.Split('.')[1], answer.Body, StringComparison.Ordinal);
        Assert.Equal("Bearer", answer.Headers["WWW-Authenticate"]);
    }

    [Fact]
    public async Task A_name_belongs_to_the_subject_and_its_answer_to_the_token_that_asked()
    {
        await using var issuer = await TestIssuer.StartAsync(Pair);
        await using var host = await StartAsync(issuer);
        var (token, next) = (Token(issuer, host), Token(issuer, host, "\"n\": 2"));

        Assert.Equal(200, (await AskAsync(token)).Status);
        // The client has its answer a moment before the request has left this process, which gives it to the subject's other tokens until then.
        await GatewayHost.UntilAsync(async () => (await AskAsync(next)).Status == 409);

        var again = await AskAsync(token);
        Assert.Equal((200, "true"), (again.Status, again.Headers["idempotency-replayed"]));
        Assert.Single(host.Script.Calls);

        Task<Answer> AskAsync(string sent) => host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(), sent, ("Idempotency-Key", "once"));
    }

    [Fact]
    public async Task Without_an_issuer_a_token_lets_nobody_in()
    {
        await using var issuer = await TestIssuer.StartAsync(Pair);
        await using var host = await GatewayHost.StartAsync();

        var answer = await host.ChatAsync(key: Token(issuer, host));

        Assert.Equal(401, answer.Status);
        Assert.Contains("no issuer is configured", answer.Body, StringComparison.Ordinal);
        Assert.Equal(0, issuer.Asked);
    }

    [Fact]
    public async Task A_key_that_changes_and_an_issuer_that_goes_need_no_restart()
    {
        await using var issuer = await TestIssuer.StartAsync(Pair);
        await using var host = await StartAsync(issuer);
        Assert.Equal(200, (await host.ChatAsync(key: Token(issuer, host))).Status);
        var next = TestKey.Rsa("k2");
        issuer.Keys.Clear();
        issuer.Keys.Add(next);
        host.Advance(IssuerKeys.AskAgain);

        var token = next.Sign(Claims.Access(issuer.Url, host.Time.GetUtcNow()));
        Assert.Equal(200, (await host.ChatAsync(key: token)).Status);
        Assert.Equal(401, (await host.ChatAsync(key: Token(issuer, host))).Status);

        Assert.Empty(host.Services.GetRequiredService<IssuerSection>().Read("{}"));
        Assert.Equal(401, (await host.ChatAsync(key: token)).Status);
    }

    private static Task<GatewayHost> StartAsync(TestIssuer issuer, string more = "") => GatewayHost.StartAsync(
        config: $$"""{"issuers": {"pool": {"issuer": "{{issuer.Url}}", "clientIds": ["{{Claims.Client}}"], "tokenUse": "access", "scopePrefix": "penstock/"{{(more.Length == 0 ? "" : ", " + more)}} } } }""",
        environment: ("PENSTOCK_MASTER_KEY", Callers.MasterKey));

    private static string Token(TestIssuer issuer, GatewayHost host, string more = "", string scope = "penstock/ai:complete") => Pair.Sign(Claims.Access(issuer.Url, host.Time.GetUtcNow(), more, scope));
}
