using System.Diagnostics;
using System.Globalization;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Bench.Money;

/// <summary>
/// Usage of one month over few calls and over many, of the same 16 keys, 4 models and 30 days. Every answer is held against a count by hand over the
/// calls as they were made; the exit code says whether all agree.
/// </summary>
internal static class Queries
{
    private const int InFlight = 4_096;
    private const int WarmUp = 30;
    private const int Runs = 51;

    private static readonly DateTimeOffset From = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset To = From.AddMonths(1);
    private static readonly string[] Models = ["gpt-4o-mini", "gpt-4o", "claude-haiku-4-5", "claude-sonnet-4-5"];

    private static readonly (string Name, UsageQuery Query)[] Asked =
    [
        ("sum of the month", Month(UsageGrouping.None)),
        ("by day", Month(UsageGrouping.Day)),
        ("by model", Month(UsageGrouping.Model)),
        ("by key", Month(UsageGrouping.Key)),
        ("by user", Month(UsageGrouping.User)),
        ("one key by day", Month(UsageGrouping.Day) with { Key = new KeyId("key-03") }),
        ("30 days that begin and end at noon", Month(UsageGrouping.Model) with { From = From.AddHours(-12), To = To.AddHours(-12) }),
    ];

    public static async Task<int> RunAsync(string root, int few, int many)
    {
        await using var small = await FillAsync(Path.Combine(root, "few"), few);
        await using var large = await FillAsync(Path.Combine(root, "many"), many);
        Console.WriteLine($"{$"median of {Runs}",-44}{few,10:N0} {many,12:N0} calls");
        var right = true;
        foreach (var (name, query) in Asked)
        {
            await TimeAsync(name, small, large, store => store.Usage.SumAsync(TenantId.Default, query, default));
            foreach (var (store, calls) in new[] { (small, few), (large, many) })
                right &= Check(name, await store.Usage.SumAsync(TenantId.Default, query, default), query, calls);
        }

        await TimeAsync("P95 of what a conversation cost", small, large, store => store.Usage.ConversationCostsAsync(TenantId.Default, From, To, default));
        foreach (var (store, calls) in new[] { (small, few), (large, many) })
            right &= Check(await store.Usage.ConversationCostsAsync(TenantId.Default, From, To, default), calls);
        Console.WriteLine(right ? "All answers equal the count by hand." : "WRONG: answers differ from the count by hand.");
        return right ? 0 : 1;
    }

    private static async Task<Store> FillAsync(string folder, int calls)
    {
        var store = new Store(folder);
        var (next, clock) = (-1, Stopwatch.StartNew());
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(_ => Task.Run(async () =>
        {
            for (var i = Interlocked.Increment(ref next); i < calls; i = Interlocked.Increment(ref next)) await store.Budgets.SettleAsync(Call(i, calls), default);
        })));
        Console.WriteLine($"{calls:N0} calls booked in {clock.Elapsed.TotalSeconds:N1} s");
        return store;
    }

    /// <summary>The same for the same number: spread over the month in order, in conversations of 20 calls that last a day.</summary>
    private static LedgerRow Call(int number, int calls)
    {
        var mixed = (uint)number * 2_654_435_761;
        var model = (int)(mixed >> 8) % Models.Length;
        return Store.Row(number.ToString(CultureInfo.InvariantCulture), (int)(mixed >> 16) % 16, From + ((To - From) * ((double)number / calls))) with
        {
            Model = Models[model],
            Provider = model < 2 ? "openai" : "anthropic",
            Cost = new Kernel.Money(1_000 + (mixed % 977 * (mixed >> 20))),
            LatencyMs = 200 + (int)(mixed >> 12) % 20_000,
            Outcome = mixed % 50 == 0 ? AttemptOutcome.ProviderFailed : AttemptOutcome.Completed,
            EndUser = $"user-{mixed % 100}",
            Conversation = $"c{number / 20}",
        };
    }

    /// <summary>In turns, so that whatever else the machine does meets both.</summary>
    private static async Task TimeAsync(string name, Store small, Store large, Func<Store, Task> query)
    {
        var (few, many) = (new List<double>(), new List<double>());
        for (var i = -WarmUp; i < Runs; i++)
        {
            foreach (var (store, times) in new[] { (small, few), (large, many) })
            {
                var clock = Stopwatch.StartNew();
                await query(store);
                if (i >= 0) times.Add(clock.Elapsed.TotalMilliseconds);
            }
        }

        var (atFew, atMany) = (few.Order().ElementAt(Runs / 2), many.Order().ElementAt(Runs / 2));
        Console.WriteLine($"{name,-44}{atFew,7:N2} ms {atMany,9:N2} ms  × {atMany / atFew:N2}");
    }

    private static bool Check(string name, UsageReport report, UsageQuery query, int calls)
    {
        var (groups, costs) = (new Dictionary<string, UsageSum>(), new LogHistogram());
        foreach (var row in Enumerable.Range(0, calls).Select(number => Call(number, calls)))
        {
            if (row.At < query.From || row.At >= query.To || (query.Key is { } key && row.Key != key)) continue;
            var group = GroupOf(row, query.GroupBy);
            groups[group] = groups.GetValueOrDefault(group, UsageSum.Nothing) + UsageSum.Of(row.Outcome, row.Tokens, row.Cost, row.Avoided, row.OwnKey, correction: false);
            costs.Add(row.Cost.NanoDollars);
        }

        var total = groups.Values.Aggregate(UsageSum.Nothing, (sum, group) => sum + group);
        var right = report.Total == total && report.Spread.Cost.Buckets.SequenceEqual(costs.Buckets)
            && (query.GroupBy == UsageGrouping.None || report.Groups.ToDictionary(group => group.Name, group => group.Sum).OrderBy(pair => pair.Key).SequenceEqual(groups.OrderBy(pair => pair.Key)));
        if (!right) Console.WriteLine($"WRONG: {name} is {report.Total}, by hand {total}");
        return right;
    }

    private static bool Check(LogHistogram histogram, int calls)
    {
        var costs = Enumerable.Range(0, calls).Select(number => Call(number, calls)).GroupBy(row => row.Conversation).Select(conversation => conversation.Sum(row => row.Cost.NanoDollars)).Order().ToArray();
        var (truth, estimate) = (costs[(int)Math.Ceiling(0.95 * costs.Length) - 1], histogram.Quantile(0.95)!.Value);
        Console.WriteLine($"P95 of {costs.Length:N0} conversations: {estimate:N0} nano-dollars, by hand {truth:N0} ({(estimate - truth) / truth:P2}; at most {LogHistogram.RelativeError:P0})");
        return Math.Abs(estimate - truth) <= truth * LogHistogram.RelativeError;
    }

    private static string GroupOf(LedgerRow row, UsageGrouping grouping) => grouping switch
    {
        UsageGrouping.Day => row.At.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        UsageGrouping.Model => row.Model,
        UsageGrouping.Key => row.Key.Value,
        UsageGrouping.User => row.EndUser ?? "",
        _ => "",
    };

    private static UsageQuery Month(UsageGrouping grouping) => new() { From = From, To = To, GroupBy = grouping };
}
