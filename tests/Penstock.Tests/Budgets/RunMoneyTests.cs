using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Tests.Gateway;
using Penstock.Tools;
using Xunit;

namespace Penstock.Tests.Budgets;

/// <summary>Whatever an agent run calls is booked on it and held on its envelope.</summary>
public sealed class RunMoneyTests : IAsyncLifetime
{
    private static readonly RunEnvelope Parent = new(new RunId("run_a"), Money.FromUsd(1));
    private static readonly RunEnvelope Child = new(new RunId("run_b"), Money.FromUsd(0.5m));

    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private Holds Holds => _host.Services.GetRequiredService<Holds>();

    public async ValueTask InitializeAsync()
    {
        _host = await GatewayHost.StartAsync();
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Whole("A fox."));
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_model_call_of_a_run_is_booked_on_it_and_on_those_above_it()
    {
        var answer = await SummarizeAsync(Parent, Child);

        Assert.NotEqual(Money.Zero, answer.Cost);
        Assert.Equal(("run_a/run_b", answer.Cost), await RowAsync());
        foreach (var (run, limit) in new[] { Parent, Child })
        {
            var status = await Holds.RunSpendAsync(TenantId.Default, run, limit, Ct);
            Assert.Equal((answer.Cost, Money.Zero, limit - answer.Cost), (status.Spent, status.Held, status.Remaining));
        }
    }

    [Fact]
    public async Task A_run_whose_envelope_does_not_cover_a_call_is_told_so_before_a_provider_hears_of_it()
    {
        var refused = await Assert.ThrowsAsync<RefusedException>(() => SummarizeAsync(Parent, Child with { Limit = new Money(10) }));

        Assert.Equal((RefusalKind.Unaffordable, "budget_exceeded"), (refused.Refusal.Kind, refused.Refusal.Code));
        Assert.Contains("The total budget of run 'run_b' does not cover this call", refused.Refusal.Message, StringComparison.Ordinal);
        Assert.Empty(_host.Script.Calls);
    }

    [Fact]
    public async Task A_tool_with_a_price_is_booked_on_its_run()
    {
        var booking = _host.Services.GetRequiredService<ToolBooking>();
        var tool = _host.Services.GetRequiredService<ToolBox>().Find(await CallerAsync(), "calculator").Spec with { Cost = Money.FromUsd(0.3m) };
        await using var passage = await EnterAsync(Parent);

        var row = await booking.ReserveAsync(Call(passage, "{}"), tool, "/v1/tools", Ct);
        Assert.Equal(Money.FromUsd(0.3m), (await Holds.RunSpendAsync(TenantId.Default, Parent.Run, Parent.Limit, Ct)).Held);
        await booking.SettleAsync(row, null, free: false, TimeSpan.FromMilliseconds(5));

        Assert.Equal(("run_a", Money.FromUsd(0.3m)), await RowAsync());
        Assert.Equal(Money.FromUsd(0.3m), (await Holds.RunSpendAsync(TenantId.Default, Parent.Run, Parent.Limit, Ct)).Spent);
    }

    [Fact]
    public async Task A_call_whose_run_has_no_envelope_holds_nothing_and_goes_nowhere()
    {
        await using var passage = _host.Services.GetRequiredService<CallLimits>().Open(await CallerAsync() with { Run = "run_a/run_b", Envelopes = [Child] }, "/v1/agents", new RequestId("req_1"));

        await Assert.ThrowsAsync<RefusedException>(() => SummarizeAsync(passage));

        Assert.Empty(_host.Script.Calls);
    }

    [Fact]
    public async Task An_attempt_shows_its_run_and_one_outside_of_runs_shows_none()
    {
        await SummarizeAsync(Parent, Child);
        _host.Advance(TimeSpan.FromSeconds(1));
        await _host.ChatAsync();

        var attempts = (await _host.GetAsync("/v1/usage/attempts")).Json.GetProperty("attempts");

        Assert.False(attempts[0].TryGetProperty("run", out _));
        Assert.Equal("run_a/run_b", attempts[1].GetProperty("run").GetString());
    }

    [Fact]
    public async Task Nobody_sets_a_budget_of_a_run()
    {
        var put = await _host.SendAsync(HttpMethod.Put, "/v1/usage/budget", """{"scope": "run", "name": "run_a", "period": "total", "limit": 1000}""");
        var delete = await _host.SendAsync(HttpMethod.Delete, "/v1/usage/budget", """{"scope": "run", "name": "run_a", "period": "total"}""");

        Assert.Equal((400, 400), (put.Status, delete.Status));
        Assert.Contains("'scope' must be one of", put.Text("detail"), StringComparison.Ordinal);
    }

    private async Task<(string? Run, Money Cost)> RowAsync()
    {
        var row = await _host.RowAsync();
        return (row.Run, row.Cost);
    }

    private async Task<ToolAnswer> SummarizeAsync(params RunEnvelope[] envelopes)
    {
        await using var passage = await EnterAsync(envelopes);
        return await SummarizeAsync(passage);
    }

    private Task<ToolAnswer> SummarizeAsync(Passage passage) =>
        _host.Services.GetRequiredService<ToolRunner>().RunAsync("summarize", Call(passage, """{"text": "The quick brown fox.", "model": "gpt-4o-mini"}"""), "/v1/agents", Ct);

    private ToolCall Call(Passage passage, string arguments)
    {
        var http = new DefaultHttpContext { RequestServices = _host.Services };
        http.Features.Set(new RequestScope(new RequestId("req_1"), 0));
        return new ToolCall { Http = http, Passage = passage, Arguments = JsonView.Parse(System.Text.Encoding.UTF8.GetBytes(arguments)), IdempotencyKey = "call_1" };
    }

    private async Task<Passage> EnterAsync(params RunEnvelope[] envelopes)
    {
        var caller = await CallerAsync() with { Run = string.Join('/', envelopes.Select(envelope => envelope.Run)), Envelopes = envelopes };
        return _host.Services.GetRequiredService<CallLimits>().Open(caller, "/v1/agents", new RequestId("req_1"));
    }

    private async Task<Caller> CallerAsync() => new((await _host.Keys.GetAsync(TenantId.Default, new KeyId("root"), Ct))!);
}
