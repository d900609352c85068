using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Regressions;

/// <summary>The whole gateway at 256 calls in flight, and every moment of it played again from the ledger.</summary>
public sealed class CapReplayTests
{
    private const int Calls = 2_000;
    private const int InFlight = 256;
    private const int Page = 1_000;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Played_again_from_the_ledger_no_moment_stands_past_a_cap()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"limits": {"requestsPerSecond": 1000000, "burst": 1000000}}""");
        host.Script.Chat = (_, _) => Frames.Of(Frames.End(TokenCounts.Of(20, 100)));
        var caps = new[] { Cap(BudgetScopeKind.Tenant, TenantId.Default.Value, BudgetPeriod.Total, 0.058m), Cap(BudgetScopeKind.Model, "gpt-4o-mini", BudgetPeriod.Month, 0.06m), Cap(BudgetScopeKind.User, "u1", BudgetPeriod.Day, 0.012m) };
        foreach (var cap in caps) await Store(host).PutAsync(cap, Ct);

        var statuses = await AskAsync(host);

        Assert.InRange(statuses.Count(status => status == 200), Calls * 3 / 10, Calls * 6 / 10);
        Assert.Equal(Calls, statuses.Count(status => status is 200 or 402));
        var entries = await EntriesAsync(host);
        foreach (var cap in caps)
        {
            Assert.InRange(Replay(cap, entries), cap.Limit.NanoDollars / 2, cap.Limit.NanoDollars);
            var standing = (await Store(host).ListAsync(TenantId.Default, host.Time.GetUtcNow(), Ct)).Single(status => status.Budget == cap);
            Assert.Equal(Money.Zero, standing.Held);
        }

        Assert.Empty(await Store(host).VerifyAsync(Ct));
    }

    private static async Task<int[]> AskAsync(GatewayHost host)
    {
        var seeded = new SeededSource(11);
        var bodies = Enumerable.Range(0, Calls).Select(_ => Body(seeded.Below(4), 100 + seeded.Below(200), seeded.OneIn(2))).ToArray();
        var statuses = new int[Calls];
        await Parallel.ForAsync(0, Calls, new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = Ct }, async (number, _) =>
        {
            using var answer = await host.Client.PostAsync("/v1/chat/completions", new StringContent(bodies[number], Encoding.UTF8, "application/json"), Ct);
            await answer.Content.ReadAsByteArrayAsync(Ct);
            statuses[number] = (int)answer.StatusCode;
        });
        return statuses;
    }

    /// <returns>The most there ever was.</returns>
    private static long Replay(Budget cap, IReadOnlyList<LedgerEntry> entries)
    {
        var (standing, most) = (Money.Zero, Money.Zero);
        foreach (var entry in entries.Where(entry => BudgetScope.Over(entry.Row).Contains(cap.Scope)))
        {
            standing += entry.Held + entry.Spent;
            if (standing > most) most = standing;
        }

        return most.NanoDollars;
    }

    private static async Task<IReadOnlyList<LedgerEntry>> EntriesAsync(GatewayHost host)
    {
        var entries = new List<LedgerEntry>();
        while (true)
        {
            var page = await Store(host).EntriesAsync(TenantId.Default, entries.Count == 0 ? 0 : entries[^1].Number, Page, Ct);
            entries.AddRange(page);
            if (page.Count < Page) return entries;
        }
    }

    private static IBudgetStore Store(GatewayHost host) => host.Services.GetRequiredService<IBudgetStore>();

    private static Budget Cap(BudgetScopeKind kind, string name, BudgetPeriod period, decimal usd) =>
        new() { Tenant = TenantId.Default, Scope = new BudgetScope(kind, name), Period = period, Limit = Money.FromUsd(usd) };

    private static string Body(int user, int most, bool stream) =>
        $$"""{"model": "gpt-4o-mini", "user": "u{{user}}", "max_tokens": {{most}}, "stream": {{(stream ? "true" : "false")}}, "messages": [{"role": "user", "content": "hello"}]}""";
}
