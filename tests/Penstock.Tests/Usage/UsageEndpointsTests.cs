using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Usage;

public sealed class UsageEndpointsTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("?form=2026-01-01", "'form'")]
    [InlineData("?from=yesterday", "'from'")]
    [InlineData("?from=12:00", "'from'")]
    [InlineData("?to=1/2/2026", "'to'")]
    [InlineData("?to=2026-02-30", "'to'")]
    [InlineData("?from=2026-01-01&from=2026-01-02", "'from'")]
    [InlineData("?key=a&key=b", "'key'")]
    [InlineData("?groupBy=colour", "'groupBy'")]
    [InlineData("?groupBy=1", "'groupBy'")]
    [InlineData("?groupBy=day,model", "'groupBy'")]
    [InlineData("?groupBy=%20day", "'groupBy'")]
    public async Task A_bad_parameter_is_400_and_is_named(string query, string name)
    {
        var answer = await _host.GetAsync("/v1/usage" + query);

        Assert.Equal(400, answer.Status);
        Assert.Contains(name, answer.Text("detail"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1001")]
    [InlineData("-1")]
    [InlineData("1e3")]
    [InlineData("99999999999")]
    [InlineData("\u0661")]
    public async Task A_bad_limit_is_400(string limit)
    {
        var answer = await _host.GetAsync($"/v1/usage/attempts?limit={Uri.EscapeDataString(limit)}");

        Assert.Equal((400, "limit"), (answer.Status, answer.Text("field")));
    }

    [Theory]
    [InlineData("?from=2026-11-21")]
    [InlineData("?from=2026-11-21T12:00:00Z")]
    [InlineData("?from=2026-11-21T12:00:00.5%2B02:00")]
    [InlineData("?to=2026-11-22T00:00:00Z&groupBy=day")]
    [InlineData("/attempts?from=2026-11-21&limit=5")]
    public async Task A_good_parameter_is_taken(string query) => Assert.Equal(200, (await _host.GetAsync("/v1/usage" + query)).Status);

    [Fact]
    public async Task Usage_is_the_sum_of_what_was_booked()
    {
        for (var i = 0; i < 3; i++) Assert.Equal(200, (await _host.ChatAsync()).Status);
        Assert.Equal(200, (await _host.ChatAsync("gpt-4")).Status);

        var usage = await _host.GetAsync("/v1/usage?groupBy=model");

        // 3 × (10 at $0.15 + 5 at $0.60) + 10 at $30 + 5 at $60, a million.
        Assert.Equal(
            """{"totalCost":0.0006135,"requests":4,"failed":0,"inputTokens":40,"outputTokens":20,"cachedInputTokens":0,"cacheWriteTokens":0,"reasoningTokens":0,"groups":[{"name":"gpt-4","totalCost":0.0006,"requests":1,"failed":0,"inputTokens":10,"outputTokens":5,"cachedInputTokens":0,"cacheWriteTokens":0,"reasoningTokens":0},{"name":"gpt-4o-mini","totalCost":0.0000135,"requests":3,"failed":0,"inputTokens":30,"outputTokens":15,"cachedInputTokens":0,"cacheWriteTokens":0,"reasoningTokens":0}]}""",
            usage.Body);
    }

    [Fact]
    public async Task A_plain_key_sees_itself_whatever_it_asks_for()
    {
        var plain = await _host.AddKeyAsync("plain");
        await _host.ChatAsync();
        await _host.ChatAsync(key: plain);

        foreach (var query in new[] { "", "?key=root", "?key=plain", "?key=" })
        {
            var rows = (await _host.GetAsync("/v1/usage/attempts" + query, plain)).Json.GetProperty("attempts");
            Assert.Equal("plain", Assert.Single(rows.EnumerateArray()).GetProperty("keyId").GetString());
            Assert.Equal(1, (await _host.GetAsync("/v1/usage" + query, plain)).Json.GetProperty("requests").GetInt64());
        }

        Assert.Equal(2, (await _host.GetAsync("/v1/usage")).Json.GetProperty("requests").GetInt64());
        Assert.Equal(1, (await _host.GetAsync("/v1/usage?key=plain")).Json.GetProperty("requests").GetInt64());
    }

    [Fact]
    public async Task An_admin_sees_its_own_tenant_alone()
    {
        var admin = await _host.AddKeyAsync("acmes", Scopes.Admin | Scopes.Complete, key => key with { Tenant = new TenantId("acme") });
        await _host.ChatAsync();

        Assert.Equal(0, (await _host.GetAsync("/v1/usage", admin)).Json.GetProperty("requests").GetInt64());
        Assert.Equal(0, (await _host.GetAsync("/v1/usage?key=root", admin)).Json.GetProperty("requests").GetInt64());
        await _host.ChatAsync(key: admin);
        Assert.Equal(1, (await _host.GetAsync("/v1/usage", admin)).Json.GetProperty("requests").GetInt64());
        Assert.Equal(1, (await _host.GetAsync("/v1/usage")).Json.GetProperty("requests").GetInt64());
    }

    [Fact]
    public async Task An_attempt_is_shown_with_all_that_was_booked_and_no_prompt()
    {
        var answer = await _host.PostAsync("/v1/complete", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "canary"}], "user": "u1", "conversation": "c1"}""");
        Assert.Equal(200, answer.Status);

        var list = await _host.GetAsync("/v1/usage/attempts");

        var row = Assert.Single(list.Json.GetProperty("attempts").EnumerateArray());
        Assert.Equal(answer.RequestId, row.GetProperty("requestId").GetString());
        Assert.Equal(("completed", "u1", "c1", 0.0000045m, false), (row.GetProperty("outcome").GetString(), row.GetProperty("user").GetString(), row.GetProperty("conversation").GetString(), row.GetProperty("cost").GetDecimal(), row.GetProperty("estimated").GetBoolean()));
        Assert.DoesNotContain("canary", list.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_key_there_is_nothing_to_see()
    {
        Assert.Equal(401, (await _host.GetAsync("/v1/usage", null)).Status);
        Assert.Equal(401, (await _host.GetAsync("/v1/usage/attempts", null)).Status);
    }

    [Fact]
    public async Task Attempts_come_newest_first_up_to_the_limit()
    {
        for (var i = 0; i < 4; i++)
        {
            await _host.ChatAsync();
            _host.Advance(TimeSpan.FromSeconds(1));
        }

        var times = (await _host.GetAsync("/v1/usage/attempts?limit=3")).Json.GetProperty("attempts").EnumerateArray().Select(row => row.GetProperty("at").GetDateTimeOffset()).ToArray();

        Assert.Equal(3, times.Length);
        Assert.Equal(times.OrderDescending(), times);
        Assert.Equal(_host.Time.GetUtcNow() - TimeSpan.FromSeconds(1), times[0]);
    }
}
