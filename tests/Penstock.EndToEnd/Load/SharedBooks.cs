using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Aws;
using Penstock.Aws.DynamoDb;
using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.EndToEnd.Load;

/// <summary>What a tenant's budgets held and had spent after each entry of the ledger, read from the tables themselves and not from a server.</summary>
internal sealed class SharedBooks
{
    private const int EntriesAtOnce = 1_000;

    private readonly Dictionary<BudgetScope, Past> _past;
    private readonly Dictionary<string, List<LedgerEntry>> _byRequest;

    private SharedBooks(IReadOnlyList<Budget> budgets, IReadOnlyList<LedgerEntry> entries, IReadOnlyList<string> differences)
    {
        (Entries, Differences) = (entries, differences);
        _past = budgets.ToDictionary(budget => budget.Scope, budget => Past.Of(budget, entries));
        _byRequest = entries.GroupBy(entry => entry.Row.Request.Value).ToDictionary(group => group.Key, group => group.ToList());
    }

    public IReadOnlyList<LedgerEntry> Entries { get; }

    /// <summary>What <c>ledger verify</c> finds.</summary>
    public IReadOnlyList<string> Differences { get; }

    public int Budgets => _past.Count;

    public static async Task<SharedBooks> ReadAsync(Uri endpoint, TenantId tenant, CancellationToken ct)
    {
        await using var services = Services(endpoint);
        var store = services.GetRequiredService<IBudgetStore>();
        var entries = new List<LedgerEntry>();
        IReadOnlyList<LedgerEntry> page;
        do
        {
            page = await store.EntriesAsync(tenant, entries.LastOrDefault()?.Number ?? 0, EntriesAtOnce, ct);
            entries.AddRange(page);
        }
        while (page.Count > 0);

        var statuses = await store.ListAsync(tenant, TimeProvider.System.GetUtcNow(), ct);
        var books = new SharedBooks([.. statuses.Select(status => status.Budget)], entries, await store.VerifyAsync(ct));
        foreach (var status in statuses) Assert.Equal((status.Spent, status.Held), books._past[status.Budget.Scope].Last);
        return books;
    }

    /// <summary>How often one of the caps was passed; 0 where each held at every instant.</summary>
    public int TimesPast => _past.Values.Sum(past => past.TimesPast);

    public Money Held => new(_past.Values.Sum(past => past.Last.Held.NanoDollars));

    /// <summary>What is spent and held at most of a cap, in percent.</summary>
    public IEnumerable<string> Peaks => _past.OrderBy(pair => pair.Key.Kind).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key.Kind.ToString().ToLowerInvariant()} {pair.Value.PeakPercent:0.0} %"));

    /// <summary>An admitted call is reserved and settled, once each; a refused one is in no entry.</summary>
    public bool IsBookedOnce(string request) =>
        _byRequest.GetValueOrDefault(request) is [{ Kind: LedgerEntryKind.Reserve } held, { Kind: LedgerEntryKind.Settle } settled] && held.Held + settled.Held == Money.Zero && settled.Spent > Money.Zero;

    public bool IsAbsent(string request) => !_byRequest.ContainsKey(request);

    /// <summary>Whether the budget ever stood as a refusal said it did.</summary>
    public bool Stood(BudgetScope scope, Money spent, Money held) => _past.TryGetValue(scope, out var past) && past.Stood(spent, held);

    private static ServiceProvider Services(Uri endpoint)
    {
        // Where the SDK looks first; an emulator takes any.
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "test");
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "test");
        var services = new ServiceCollection();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(new IdSource());
        services.AddDynamoDbStore(new DynamoOptions { Endpoint = endpoint });
        return services.BuildServiceProvider();
    }

    /// <summary>One budget, entry by entry.</summary>
    private sealed class Past
    {
        private readonly HashSet<(Money, Money)> _stood = [(Money.Zero, Money.Zero)];

        public int TimesPast { get; private set; }

        public double PeakPercent { get; private set; }

        public (Money Spent, Money Held) Last { get; private set; }

        public static Past Of(Budget budget, IReadOnlyList<LedgerEntry> entries)
        {
            var past = new Past();
            foreach (var entry in entries)
            {
                if (!BudgetScope.Over(entry.Row).Contains(budget.Scope)) continue;
                var (spent, held) = past.Last = (past.Last.Spent + entry.Spent, past.Last.Held + entry.Held);
                past._stood.Add(past.Last);
                if (spent + held > budget.Limit) past.TimesPast++;
                past.PeakPercent = Math.Max(past.PeakPercent, 100.0 * (spent + held).NanoDollars / budget.Limit.NanoDollars);
            }

            return past;
        }

        public bool Stood(Money spent, Money held) => _stood.Contains((spent, held));
    }
}
