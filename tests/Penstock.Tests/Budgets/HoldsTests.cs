using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Kernel;
using Penstock.Sqlite;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Budgets;

/// <summary>What a call hears of the budgets over it.</summary>
public sealed class HoldsTests
{
    private const string Warning = "x-penstock-budget-warning";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_store_that_fails_stops_calls_before_a_provider_hears_of_them(bool stream)
    {
        await using var host = await GatewayHost.StartAsync();
        await host.ChatAsync();
        await host.Services.GetRequiredService<SqliteDatabase>().DisposeAsync();

        var answer = await host.ChatAsync(stream: stream);

        Assert.Equal((503, "budget_store_unavailable", "1"), (answer.Status, answer.Text("error", "code"), answer.Headers["Retry-After"]));
        Assert.Single(host.Script.Calls);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_operator_may_let_calls_pass_where_the_store_fails_and_the_log_has_them(bool stream)
    {
        await using var host = await GatewayHost.StartAsync(config: """{"budgets": {"whenStoreFails": "allow"}}""");
        await host.ChatAsync();
        await host.Services.GetRequiredService<SqliteDatabase>().DisposeAsync();

        Assert.Equal(200, (await host.ChatAsync(stream: stream)).Status);

        Assert.Single(host.Log.Own, line => line.Level == LogLevel.Critical && line.Text.EndsWith("could not be booked", StringComparison.Ordinal));
        Assert.Equal(2, host.Log.Own.Count(line => line.Text.Contains("completed input 10", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_soft_budget_that_a_call_passes_warns_and_lets_it_pass()
    {
        await using var host = await GatewayHost.StartAsync();
        Assert.Equal(200, (await host.SendAsync(HttpMethod.Put, "/v1/usage/budget", """{"scope": "project", "name": "default", "period": "day", "limit": 0.01, "hard": false}""")).Status);

        var passes = await host.PostAsync("/v1/chat/completions", Asking(40_000));
        var fits = await host.PostAsync("/v1/chat/completions", Asking(10));

        Assert.Equal((200, 200), (passes.Status, fits.Status));
        Assert.Matches("^project 'default' daily 2[0-9]{2}%$", passes.Headers[Warning]);
        Assert.DoesNotContain(Warning, fits.Headers.Keys);
    }

    [Theory]
    [InlineData(true, "refuse", "\"web_search_options\": {}", 400)]
    [InlineData(true, "allow", "\"web_search_options\": {}", 200)]
    [InlineData(false, "refuse", "\"web_search_options\": {}", 200)]
    [InlineData(true, "refuse", "\"reasoning_effort\": \"low\", \"store\": true, \"service_tier\": \"flex\"", 200)]
    [InlineData(true, "refuse", "\"something_new\": 1", 400)]
    public async Task A_hard_budget_refuses_what_is_billed_beside_tokens_by_name(bool hard, string extras, string field, int status)
    {
        await using var host = await GatewayHost.StartAsync(config: $$$"""{"budgets": {"extras": "{{{extras}}}"}}""");
        await host.SendAsync(HttpMethod.Put, "/v1/usage/budget", $$"""{"scope": "tenant", "limit": 100, "hard": {{(hard ? "true" : "false")}}}""");

        var answer = await host.PostAsync("/v1/chat/completions", $$"""{"model": "gpt-4o-mini", {{field}}, "messages": [{"role": "user", "content": "hello"}]}""");

        Assert.Equal(status, answer.Status);
        if (status == 400) Assert.Contains(field[1..field.IndexOf('"', 1)], answer.Text("error", "message"), StringComparison.Ordinal);
        Assert.Equal(status == 200 ? 1 : 0, host.Script.Calls.Count);
    }

    /// <summary>An agent whose tool never finds anything asks again and again: 891 times and 2,847 USD, in the case that became known.</summary>
    [Fact]
    public async Task A_loop_that_never_ends_by_itself_ends_at_its_budget()
    {
        await using var host = await GatewayHost.StartAsync();
        host.Script.Chat = (_, _) => Frames.Of(Frames.End(TokenCounts.Of(1_000, 500)));
        // Each call costs 0.00045 USD and may cost a little more than that.
        var key = await host.AddKeyAsync("loop", change: made => made with { MonthlyBudget = Money.FromUsd(0.0045m) });

        var calls = 0;
        var last = 200;
        while (last == 200 && calls < 891) (last, calls) = ((await host.PostAsync("/v1/chat/completions", Asking(500), key)).Status, calls + 1);

        Assert.Equal(402, last);
        Assert.InRange(calls, 8, 11);
        Assert.Equal(calls - 1, host.Script.Calls.Count);
    }

    private static string Asking(int most) => $$"""{"model": "gpt-4o-mini", "max_completion_tokens": {{most}}, "messages": [{"role": "user", "content": "hello"}]}""";
}
