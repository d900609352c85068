using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Cli;

/// <summary>Sample data under fixed ids, so that a second run finds it all there.</summary>
internal static class Seed
{
    private const int Days = 30;
    private const int CallsADay = 8;

    private static readonly ProjectId Project = new("sample");
    private static readonly (string Provider, string Model)[] Models = [("openai", "gpt-4o-mini"), ("anthropic", "claude-haiku-4-5")];

    public static async Task<int> RunAsync(IServiceProvider services, CancellationToken ct)
    {
        var key = new KeyId("sample");
        var text = await services.AddSampleKeyAsync(key, Project, ct);
        Console.WriteLine(text is null ? "Key 'sample' is there already; nothing was changed." : $"Key 'sample', shown this once: {text}");

        var usage = services.GetRequiredService<IUsageStore>();
        var ledger = services.GetRequiredService<IBudgetStore>();
        var query = new UsageQuery { Project = Project };
        var before = (await usage.SumAsync(TenantId.Default, query, ct)).Total.Attempts;
        var prices = services.GetRequiredService<PriceSection>().Current;
        var today = services.GetRequiredService<TimeProvider>().GetUtcNow().UtcDateTime.Date;
        await Task.WhenAll(Enumerable.Range(0, Days * CallsADay).Select(number => ledger.SettleAsync(Row(number, key, today, prices), ct)));
        var after = (await usage.SumAsync(TenantId.Default, query, ct)).Total.Attempts;
        Console.WriteLine(after == before ? $"{after} sample calls are there already; nothing was changed." : $"Added {after - before} sample calls over {Days} days.");
        return 0;
    }

    private static LedgerRow Row(int number, KeyId key, DateTime today, PriceTable prices)
    {
        var (provider, model) = Models[number % Models.Length];
        var tokens = TokenCounts.Of(200 + (number * 37 % 900), 50 + (number * 53 % 400));
        return new LedgerRow
        {
            Tenant = TenantId.Default,
            Attempt = new AttemptId($"att_sample_{number:0000}"),
            Request = new RequestId($"req_sample_{number:0000}"),
            Project = Project,
            Key = key,
            At = new DateTimeOffset(today.AddDays(-(number / CallsADay)).AddHours(number % CallsADay * 3), TimeSpan.Zero),
            Operation = "chat",
            Route = "/v1/chat/completions",
            Provider = provider,
            RequestedModel = model,
            Model = model,
            Tokens = tokens,
            Cost = prices.Find(provider, model)!.CostOf(tokens, null),
            PriceVersion = prices.Version,
            Outcome = AttemptOutcome.Completed,
            LatencyMs = 400 + (number * 71 % 1500),
            FirstTokenMs = 90 + (number * 29 % 300),
            Streamed = number % 3 == 0,
            Conversation = $"sample-{number % 12}",
            EndUser = $"sample-user-{number % 5}",
        };
    }
}
