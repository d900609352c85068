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
        // The month began 20 days and 12 hours ago.
        const string More = "\"cachedInputTokens\":0,\"cacheWriteTokens\":0,\"reasoningTokens\":0,\"cacheHits\":0,\"savedCost\":0,\"ownKey\":{\"requests\":0,\"cost\":0}";
        const string Month = "\"projection\":{\"from\":\"2026-11-01T00:00:00+00:00\",\"to\":\"2026-12-01T00:00:00+00:00\",\"elapsed\":0.683333,\"platform\":{\"spent\":0.0006135,\"projected\":0.000897805},\"ownKey\":{\"spent\":0,\"projected\":0}}";
        Assert.Equal(
            $$"""{"totalCost":0.0006135,"markup":0.00001227,"billed":0.00062577,"requests":4,"failed":0,"inputTokens":40,"outputTokens":20,{{More}},"markupPercent":2,""",
            usage.Body[..usage.Body.IndexOf("\"latencyMs\"", StringComparison.Ordinal)]);
        Assert.EndsWith(
            $$$"""{{{Month}}},"groups":[{"name":"gpt-4","totalCost":0.0006,"markup":0.000012,"billed":0.000612,"requests":1,"failed":0,"inputTokens":10,"outputTokens":5,{{{More}}}},{"name":"gpt-4o-mini","totalCost":0.0000135,"markup":0.00000027,"billed":0.00001377,"requests":3,"failed":0,"inputTokens":30,"outputTokens":15,{{{More}}}}]}""",
            usage.Body,
            StringComparison.Ordinal);
        Assert.Equal(0.02, usage.Json.GetProperty("costPerRequest").GetProperty("error").GetDouble());
        Assert.InRange(usage.Json.GetProperty("costPerRequest").GetProperty("p50").GetDouble() / 0.0000045, 0.98, 1.02);
        Assert.InRange(usage.Json.GetProperty("costPerRequest").GetProperty("p99").GetDouble() / 0.0006, 0.98, 1.02);
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

    [Theory]
    [InlineData("day")]
    [InlineData("model")]
    [InlineData("provider")]
    [InlineData("key")]
    [InlineData("project")]
    [InlineData("user")]
    [InlineData("conversation")]
    public async Task Groups_have_the_members_of_their_sum_and_add_up_to_it(string by)
    {
        await AskAsync("c1", "u1");
        _host.Advance(TimeSpan.FromDays(1));
        await AskAsync("c1", "u2");
        await AskAsync("c2", "u2", key: await _host.AddKeyAsync("other"));

        var usage = (await _host.GetAsync($"/v1/usage?groupBy={by}")).Json;

        var groups = usage.GetProperty("groups").EnumerateArray().ToArray();
        Assert.NotEmpty(groups);
        foreach (var member in new[] { "totalCost", "markup", "billed", "requests", "inputTokens", "cacheHits", "savedCost" })
        {
            Assert.Equal(usage.GetProperty(member).GetDecimal(), groups.Sum(group => group.GetProperty(member).GetDecimal()));
        }
    }

    [Fact]
    public async Task Conversations_are_counted_with_what_each_cost()
    {
        for (var i = 1; i <= 20; i++)
        {
            for (var call = 0; call < i; call++) await AskAsync($"c{i}", "u");
            // So that the key's own rate does not stand in the way.
            _host.Advance(TimeSpan.FromSeconds(1));
        }

        var costs = (await _host.GetAsync("/v1/usage/conversations?from=2026-11-21&to=2026-11-22")).Json;

        Assert.Equal(20, costs.GetProperty("conversations").GetInt32());
        var spread = costs.GetProperty("costPerConversation");
        Assert.Equal(0.02, spread.GetProperty("error").GetDouble());
        // A call costs $0.0000045; ranks 10, 19 and 20 of 20.
        foreach (var (name, calls) in new[] { ("p50", 10), ("p95", 19), ("p99", 20) }) Assert.InRange(spread.GetProperty(name).GetDouble() / (calls * 0.0000045), 0.98, 1.02);
        Assert.Equal("""{"conversations":0}""", (await _host.GetAsync("/v1/usage/conversations?from=2026-11-22")).Body);
        Assert.Equal("""{"conversations":0}""", (await _host.GetAsync("/v1/usage/conversations?to=2026-11-21")).Body);
        // A partial day counts whole.
        Assert.Equal(20, (await _host.GetAsync("/v1/usage/conversations?from=2026-11-21T23:00:00Z&to=2026-11-21T23:30:00Z")).Json.GetProperty("conversations").GetInt32());
        Assert.Equal(400, (await _host.GetAsync("/v1/usage/conversations?key=x")).Status);
        Assert.Equal(401, (await _host.GetAsync("/v1/usage/conversations", null)).Status);
    }

    [Fact]
    public async Task A_plain_key_sees_what_conversations_cost_itself()
    {
        var plain = await _host.AddKeyAsync("plain");
        await AskAsync("shared", "u", key: plain);
        await AskAsync("shared", "u");
        await AskAsync("shared", "u");
        await AskAsync("not its own", "u");
        await AskAsync(null, "u", key: plain);

        foreach (var query in new[] { "", "?from=2026-11-21T23:00:00Z&to=2026-11-21T23:30:00Z" })
        {
            var costs = (await _host.GetAsync("/v1/usage/conversations" + query, plain)).Json;
            Assert.Equal(1, costs.GetProperty("conversations").GetInt32());
            Assert.InRange(costs.GetProperty("costPerConversation").GetProperty("p99").GetDouble() / 0.0000045, 0.98, 1.02);
        }

        Assert.Equal("""{"conversations":0}""", (await _host.GetAsync("/v1/usage/conversations?from=2026-11-22", plain)).Body);
    }

    [Fact]
    public async Task A_projection_is_of_the_running_month_whatever_the_range_and_of_the_callers_own()
    {
        var plain = await _host.AddKeyAsync("plain");
        await _host.ChatAsync();
        await _host.ChatAsync(key: plain);

        var all = (await _host.GetAsync("/v1/usage?to=2020-01-01")).Json;
        var own = (await _host.GetAsync("/v1/usage", plain)).Json;

        Assert.Equal((0m, 0.000009m), (all.GetProperty("totalCost").GetDecimal(), Platform(all, "spent")));
        Assert.Equal(0.0000045m, Platform(own, "spent"));
        // 20.5 of 30 days.
        Assert.Equal(Math.Round(0.000009m * 30 / 20.5m, 9), Platform(all, "projected"));
        Assert.Equal(0.000009m, Platform((await _host.GetAsync("/v1/usage?model=gpt-4o-mini")).Json, "spent"));
        Assert.Equal(0m, Platform((await _host.GetAsync("/v1/usage?model=gpt-4")).Json, "spent"));
        _host.Advance(TimeSpan.FromDays(10));
        Assert.Equal(0m, Platform((await _host.GetAsync("/v1/usage")).Json, "spent"));
    }

    private static decimal Platform(System.Text.Json.JsonElement usage, string member) => usage.GetProperty("projection").GetProperty("platform").GetProperty(member).GetDecimal();

    private async Task AskAsync(string? conversation, string user, string key = GatewayHost.OperatorKey)
    {
        var more = conversation is null ? "" : $"""
            , "conversation": "{conversation}"
            """;
        Assert.Equal(200, (await _host.PostAsync("/v1/complete", $$"""{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}], "user": "{{user}}"{{more}}}""", key)).Status);
    }
}
