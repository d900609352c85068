using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Keys;

public sealed class KeyEndpointsTests : IAsyncLifetime
{
    private const string Path = "/v1/auth/keys";

    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_key_is_shown_once_and_works()
    {
        var made = await _host.PostAsync(Path, """{"name": "ci", "scopes": ["ai:complete", "ai:embed"], "monthlyBudget": 50.000000001, "project": "web", "requestsPerSecond": 5.5, "burst": 10, "tokensPerMinute": 1000, "concurrency": 3, "models": ["fast"], "expiresAt": "2027-01-31T00:00:00Z"}""");
        Assert.Equal(201, made.Status);
        var (key, id) = (made.Text("apiKey")!, made.Text("keyId")!);
        Assert.Equal($"{Path}/{id}", made.Headers["Location"]);

        var shown = await _host.GetAsync($"{Path}/{id}");
        var listed = await _host.GetAsync(Path);

        Assert.Equal(200, shown.Status);
        Assert.Equal(
            $$"""{"keyId":"{{id}}","name":"ci","scopes":["ai:complete","ai:embed"],"tenant":"default","project":"web","createdAt":"2026-11-21T12:00:00+00:00","expiresAt":"2027-01-31T00:00:00+00:00","monthlyBudget":50.000000001,"requestsPerSecond":5.5,"burst":10,"tokensPerMinute":1000,"concurrency":3,"models":["fast"]}""",
            shown.Body);
        Assert.Equal(2, listed.Json.GetProperty("keys").GetArrayLength());
        var secret = key[(key.LastIndexOf('-') + 1)..];
        Assert.All([shown, listed], answer => Assert.DoesNotContain(secret, answer.Body, StringComparison.Ordinal));
        Assert.Equal(200, (await _host.ChatAsync("fast", key: key)).Status);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("[]", "must be a JSON object")]
    [InlineData("{}", "'scopes'")]
    [InlineData("""{"scopes": ["admin"]}""", "'name'")]
    [InlineData("""{"name": "", "scopes": ["admin"]}""", "'name'")]
    [InlineData("""{"name": 5, "scopes": ["admin"]}""", "'name'")]
    [InlineData("""{"name": "\ud83d", "scopes": ["admin"]}""", "'name'")]
    [InlineData("""{"name": "a", "scopes": []}""", "'scopes'")]
    [InlineData("""{"name": "a", "scopes": "admin"}""", "'scopes'")]
    [InlineData("""{"name": "a", "scopes": ["root"]}""", "'scopes[0]'")]
    [InlineData("""{"name": "a", "scopes": ["admin", null]}""", "'scopes[1]'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "monthlyBudget": -1}""", "'monthlyBudget'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "monthlyBudget": 1e300}""", "'monthlyBudget'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "requestsPerSecond": 0}""", "'requestsPerSecond'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "burst": 0}""", "'burst'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "burst": 99999999999999999999}""", "'burst'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "tokensPerMinute": 0}""", "'tokensPerMinute'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "concurrency": 0.5}""", "'concurrency'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "models": [""]}""", "'models[0]'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "project": "a b"}""", "'project'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "project": "web\n"}""", "'project'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "tenant": "acme\n"}""", "'tenant'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "tenant": "\u00e4cme"}""", "'tenant'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "expiresAt": "soon"}""", "'expiresAt'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "expiresAt": "12:00"}""", "'expiresAt'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "expiresAt": "1/2/2027"}""", "'expiresAt'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "expiresAt": "2026-11-21T12:00:00Z"}""", "'expiresAt'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "expiresAt": "9999-12-31T23:59:59-01:00"}""", "'expiresAt'")]
    [InlineData("""{"name": "a", "scopes": ["admin"], "expires": "2027-01-01"}""", "'expires'")]
    [InlineData("""{"name": "a", "name": "b", "scopes": ["admin"]}""", "twice")]
    public async Task A_bad_draft_is_400_and_names_the_field(string body, string what)
    {
        var answer = await _host.PostAsync(Path, body);

        Assert.Equal(400, answer.Status);
        Assert.Contains(what, answer.Text("detail"), StringComparison.Ordinal);
        Assert.Single((await _host.GetAsync(Path)).Json.GetProperty("keys").EnumerateArray());
    }

    [Theory]
    [InlineData(201, 200)]
    [InlineData(400, 201)]
    public async Task A_name_has_at_most_200_characters(int status, int length) =>
        Assert.Equal(status, (await _host.PostAsync(Path, $$"""{"name": "{{new string('n', length)}}", "scopes": ["admin"]}""")).Status);

    [Fact]
    public async Task A_body_past_its_limit_is_413() => Assert.Equal(413, (await _host.PostAsync(Path, new string(' ', 65 * 1024))).Status);

    [Fact]
    public async Task Without_the_scope_nothing_of_it_opens()
    {
        var plain = await _host.AddKeyAsync("plain", Scopes.Complete | Scopes.Embed | Scopes.RunAgents);
        (HttpMethod Method, string Path)[] routes = [(HttpMethod.Post, Path), (HttpMethod.Get, Path), (HttpMethod.Get, $"{Path}/root"), (HttpMethod.Delete, $"{Path}/root"), (HttpMethod.Post, $"{Path}/root/rotate")];
        foreach (var (method, path) in routes)
        {
            Assert.Equal(403, (await _host.SendAsync(method, path, null, plain)).Status);
            Assert.Equal(401, (await _host.SendAsync(method, path, null, null)).Status);
        }
    }

    [Fact]
    public async Task Only_an_operator_acts_in_another_tenant()
    {
        var admin = await _host.AddKeyAsync("admin", Scopes.Admin);
        await _host.AddKeyAsync("theirs", Scopes.Complete, key => key with { Tenant = new TenantId("acme") });
        const string Draft = """{"name": "a", "scopes": ["ai:complete"], "tenant": "acme"}""";

        Assert.Equal(403, (await _host.PostAsync(Path, Draft, admin)).Status);
        Assert.Equal(403, (await _host.GetAsync($"{Path}?tenant=acme", admin)).Status);
        Assert.Equal(403, (await _host.GetAsync($"{Path}/theirs?tenant=acme", admin)).Status);
        Assert.Equal(403, (await _host.SendAsync(HttpMethod.Delete, $"{Path}/theirs?tenant=acme", null, admin)).Status);
        Assert.Equal(403, (await _host.PostAsync($"{Path}/theirs/rotate?tenant=acme", "", admin)).Status);
        Assert.Equal(404, (await _host.GetAsync($"{Path}/theirs", admin)).Status);
        Assert.Equal(404, (await _host.SendAsync(HttpMethod.Delete, $"{Path}/theirs", null, admin)).Status);
        Assert.Equal(200, (await _host.GetAsync($"{Path}?tenant=default", admin)).Status);

        Assert.Equal("acme", (await _host.PostAsync(Path, Draft)).Text("tenant"));
        Assert.Equal("other", (await _host.PostAsync($"{Path}?tenant=other", """{"name": "a", "scopes": ["ai:complete"]}""")).Text("tenant"));
        Assert.Equal(403, (await _host.PostAsync($"{Path}?tenant=other", """{"name": "a", "scopes": ["ai:complete"]}""", admin)).Status);
        Assert.Equal(2, (await _host.GetAsync($"{Path}?tenant=acme")).Json.GetProperty("keys").GetArrayLength());
        Assert.Equal(400, (await _host.GetAsync($"{Path}?tenant=a%20b")).Status);
        Assert.Equal(400, (await _host.GetAsync($"{Path}?tenant=acme%0A")).Status);
        Assert.Equal(204, (await _host.SendAsync(HttpMethod.Delete, $"{Path}/theirs?tenant=acme")).Status);
    }

    [Fact]
    public async Task A_tenants_admin_sees_its_own_keys_alone()
    {
        var admin = await _host.AddKeyAsync("acmes", Scopes.Admin, key => key with { Tenant = new TenantId("acme") });

        var keys = (await _host.GetAsync(Path, admin)).Json.GetProperty("keys");

        Assert.Equal("acmes", Assert.Single(keys.EnumerateArray()).GetProperty("keyId").GetString());
        Assert.Equal(404, (await _host.GetAsync($"{Path}/root", admin)).Status);
        Assert.Equal("acme", (await _host.PostAsync(Path, """{"name": "a", "scopes": ["ai:complete"]}""", admin)).Text("tenant"));
    }

    [Fact]
    public async Task Only_an_operator_makes_or_takes_an_operators_key()
    {
        var admin = await _host.AddKeyAsync("admin", Scopes.Admin);
        const string Draft = """{"name": "a", "scopes": ["operator"]}""";

        Assert.Equal(403, (await _host.PostAsync(Path, Draft, admin)).Status);
        // A rotation shows the new secret: an admin who could rotate the operator's key would be the operator.
        var rotated = await _host.PostAsync($"{Path}/root/rotate", "", admin);
        Assert.Equal(403, rotated.Status);
        Assert.DoesNotContain("apiKey", rotated.Body, StringComparison.Ordinal);
        Assert.Equal(403, (await _host.SendAsync(HttpMethod.Delete, $"{Path}/root", null, admin)).Status);

        Assert.Equal(200, (await _host.GetAsync(Path)).Status);
        Assert.Equal(201, (await _host.PostAsync(Path, Draft)).Status);
        Assert.Equal(200, (await _host.PostAsync($"{Path}/root/rotate", "")).Status);
    }

    [Fact]
    public async Task A_rotation_with_grace_keeps_the_old_secret_until_it_ends()
    {
        var old = await _host.AddKeyAsync("a");

        var answer = await _host.PostAsync($"{Path}/a/rotate", """{"graceSeconds": 60}""");

        Assert.Equal((200, "a"), (answer.Status, answer.Text("keyId")));
        var fresh = answer.Text("apiKey")!;
        Assert.Equal(200, (await _host.ChatAsync(key: old)).Status);
        Assert.Equal(200, (await _host.ChatAsync(key: fresh)).Status);
        _host.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(401, (await _host.ChatAsync(key: old)).Status);
        Assert.Equal(200, (await _host.ChatAsync(key: fresh)).Status);
    }

    [Theory]
    [InlineData("""{"graceSeconds": 86401}""", "'graceSeconds'")]
    [InlineData("""{"graceSeconds": -1}""", "'graceSeconds'")]
    [InlineData("""{"grace": 1}""", "'grace'")]
    [InlineData("nonsense", "not valid JSON")]
    public async Task A_bad_rotation_is_400_and_changes_nothing(string body, string what)
    {
        var old = await _host.AddKeyAsync("a");

        var answer = await _host.PostAsync($"{Path}/a/rotate", body);

        Assert.Equal(400, answer.Status);
        Assert.Contains(what, answer.Text("detail"), StringComparison.Ordinal);
        Assert.Equal(200, (await _host.ChatAsync(key: old)).Status);
    }

    [Fact]
    public async Task A_revoked_key_is_dead_at_once_and_stays_listed()
    {
        var key = await _host.AddKeyAsync("a");
        Assert.Equal(200, (await _host.ChatAsync(key: key)).Status);

        Assert.Equal(204, (await _host.SendAsync(HttpMethod.Delete, $"{Path}/a")).Status);

        Assert.Equal(401, (await _host.ChatAsync(key: key)).Status);
        Assert.Equal(204, (await _host.SendAsync(HttpMethod.Delete, $"{Path}/a")).Status);
        Assert.Equal(404, (await _host.PostAsync($"{Path}/a/rotate", "")).Status);
        Assert.Equal("2026-11-21T12:00:00+00:00", (await _host.GetAsync($"{Path}/a")).Text("revokedAt"));
    }

    [Theory]
    [InlineData("nobody")]
    [InlineData("%27%20OR%201=1")]
    [InlineData("%00")]
    [InlineData("%F0%9F%A6%80")]
    public async Task An_id_that_is_nobodys_is_404(string id)
    {
        foreach (var (method, suffix) in new[] { (HttpMethod.Get, ""), (HttpMethod.Delete, ""), (HttpMethod.Post, "/rotate") })
        {
            var answer = await _host.SendAsync(method, $"{Path}/{id}{suffix}");

            Assert.InRange(answer.Status, 400, 404);
            Assert.Equal(JsonValueKind.Object, answer.Body.Length == 0 ? JsonValueKind.Object : answer.Json.ValueKind);
        }
    }
}
