using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Usage;

/// <summary>
/// Sums of a stretch of time, as items of <c>ai-platform-ledger</c> that every booked attempt adds itself to:
/// <code>
/// t#T#q#2026-11-21#shard / 12:15#combination       a quarter of an hour    t#T#uq#2026-11-21#shard / user#12:15
/// t#T#d#2026-11#shard    / 21#combination          a day                   t#T#ud#2026-11#shard    / user#21
/// t#T#m#2026#shard       / 11#combination          a month                 t#T#um#2026#shard       / user#11
/// </code>
/// A combination is of project, key, model and provider, and of whether there was an end user; its shard is the attempt's, so that no item is written by
/// everybody. An end user's shard is the user's. Each counts how often latencies, first tokens and costs fell into which bucket in an attribute a bucket:
/// <c>l37</c>, <c>f12</c>, <c>c88</c>.
/// </summary>
internal static class RollupItem
{
    public static readonly IReadOnlyList<Grain> Grains = [Grain.Quarter, Grain.Day, Grain.Month];

    /// <summary>Adds what the rows come to, to every rollup that they belong to.</summary>
    /// <param name="shard">Of the combinations; any, for whoever reads sums all.</param>
    public static void Add(Transaction transaction, string table, IReadOnlyList<(LedgerEntryKind Kind, LedgerRow Row)> booked, int shard)
    {
        var cells = new Dictionary<(string Pk, string Sk), Cell>();
        foreach (var (kind, row) in booked)
        {
            var changes = Changes(kind, row);
            foreach (var grain in Grains)
            {
                AddTo(cells, (Partition(row.Tenant, grain, row.At, shard), $"{Stretch(grain, row.At)}#{CombinationOf(row)}"), new Cell(row, grain, ByUser: false), changes);
                if (IsAnonymous(row)) continue;
                AddTo(cells, (UserPartition(row.Tenant, grain, row.At, row.EndUser!), $"{KeyPart.Of(row.EndUser!)}#{Stretch(grain, row.At)}"), new Cell(row, grain, ByUser: true), changes);
            }
        }

        foreach (var ((pk, sk), cell) in cells) transaction.Update(table, Item.Key(pk, sk), cell.Update, null, cell.Values);
    }

    private static void AddTo(Dictionary<(string, string), Cell> cells, (string, string) key, Cell cell, List<(string Name, long By)> changes)
    {
        if (!cells.TryAdd(key, cell)) cell = cells[key];
        foreach (var (name, by) in changes) cell.Sums[name] = cell.Sums.GetValueOrDefault(name) + by;
    }

    private sealed record Cell(LedgerRow Row, Grain Grain, bool ByUser)
    {
        private const string SetCombination = "SET #from = :from, #grain = :grain, #tenant = :tenant, #project = :project, #key = :key, #model = :model, #provider = :provider, #anonymous = :anonymous";
        private const string SetUser = "SET #from = :from, #grain = :grain, #tenant = :tenant, #user = :user";

        public Dictionary<string, long> Sums { get; } = [];

        /// <summary>What is not zero of the sums and buckets, as an <c>ADD</c>.</summary>
        public string Update
        {
            get
            {
                var set = ByUser ? SetUser : SetCombination;
                return Sums.Any(sum => sum.Value != 0) ? $"{set} ADD {string.Join(", ", Sums.Where(sum => sum.Value != 0).Select(sum => $"#{sum.Key} :add_{sum.Key}"))}" : set;
            }
        }

        public Item Values
        {
            get
            {
                var values = new Item().Set(":from", Tiles.Floor(Row.At.ToUnixTimeMilliseconds(), Grain)).Set(":grain", (long)Grain).Set(":tenant", Row.Tenant.Value);
                foreach (var (name, by) in Sums.Where(sum => sum.Value != 0)) values.Set($":add_{name}", by);
                return ByUser
                    ? values.Set(":user", Row.EndUser)
                    : values.Set(":project", Row.Project.Value).Set(":key", Row.Key.Value).Set(":model", Row.Model).Set(":provider", Row.Provider).Set(":anonymous", IsAnonymous(Row));
            }
        }
    }

    public static bool IsAnonymous(LedgerRow row) => row.EndUser is null or "";

    public static string Partition(TenantId tenant, Grain grain, DateTimeOffset at, int shard) => $"{LedgerKeys.Tenant(tenant)}#{Letter(grain)}#{Group(grain, at)}#{shard}";

    public static string UserPartition(TenantId tenant, Grain grain, DateTimeOffset at, string user) => UserPartition(tenant, grain, at, KeyPart.Shard(user, LedgerKeys.Shards));

    public static string UserPartition(TenantId tenant, Grain grain, DateTimeOffset at, int shard) => $"{LedgerKeys.Tenant(tenant)}#u{Letter(grain)}#{Group(grain, at)}#{shard}";

    /// <summary>Where a stretch stands within its partition.</summary>
    public static string Stretch(Grain grain, DateTimeOffset at) => at.UtcDateTime.ToString(
        grain switch { Grain.Quarter => $"HH':{at.UtcDateTime.Minute / 15 * 15:00}'", Grain.Day => "dd", _ => "MM" },
        CultureInfo.InvariantCulture);

    public static string Group(Grain grain, DateTimeOffset at) =>
        at.UtcDateTime.ToString(grain switch { Grain.Quarter => "yyyy-MM-dd", Grain.Day => "yyyy-MM", _ => "yyyy" }, CultureInfo.InvariantCulture);

    public static UsageSum ReadSum(Item item) => new(
        Sum(item, "attempts"),
        Sum(item, "failed"),
        new TokenCounts(Sum(item, "input"), Sum(item, "cache_read"), Sum(item, "cache_write_5m"), Sum(item, "cache_write_1h"), Sum(item, "output"), Sum(item, "reasoning")),
        new Money(Sum(item, "cost")))
    {
        CacheHits = Sum(item, "hits"),
        Saved = new Money(Sum(item, "saved")),
        OwnKeyAttempts = Sum(item, "own_attempts"),
        OwnKeyCost = new Money(Sum(item, "own_cost")),
    };

    public static void AddSpread(UsageSpread spread, Item item)
    {
        foreach (var name in item.Attributes.Keys)
        {
            if (!int.TryParse(name.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var bucket)) continue;
            var histogram = name[0] switch { 'l' => spread.Latency, 'f' => spread.FirstToken, 'c' => spread.Cost, _ => null };
            histogram?.AddBucket(bucket, item.Long(name));
        }
    }

    /// <summary>How one booked row counts in a report.</summary>
    public static UsageSum SumOf(LedgerEntryKind kind, LedgerRow row) => UsageSum.Of(row.Outcome, row.Tokens, row.Cost, row.Avoided, row.OwnKey, kind == LedgerEntryKind.Adjust);

    public static void AddSpread(UsageSpread spread, LedgerEntryKind kind, LedgerRow row)
    {
        if (kind is LedgerEntryKind.Settle or LedgerEntryKind.Release) spread.Add(row.Outcome, row.LatencyMs, row.FirstTokenMs, row.Cost);
    }

    private static List<(string Name, long By)> Changes(LedgerEntryKind kind, LedgerRow row)
    {
        var sum = SumOf(kind, row);
        var changes = new List<(string Name, long By)>
        {
            ("attempts", sum.Attempts), ("failed", sum.Failed), ("cost", sum.Cost.NanoDollars),
            ("input", sum.Tokens.Input), ("cache_read", sum.Tokens.CacheRead), ("cache_write_5m", sum.Tokens.CacheWrite5m),
            ("cache_write_1h", sum.Tokens.CacheWrite1h), ("output", sum.Tokens.Output), ("reasoning", sum.Tokens.Reasoning),
            ("hits", sum.CacheHits), ("saved", sum.Saved.NanoDollars), ("own_attempts", sum.OwnKeyAttempts), ("own_cost", sum.OwnKeyCost.NanoDollars),
        };
        var spread = new UsageSpread();
        AddSpread(spread, kind, row);
        foreach (var (letter, histogram) in new[] { ('l', spread.Latency), ('f', spread.FirstToken), ('c', spread.Cost) })
        {
            changes.AddRange(histogram.Buckets.Select(bucket => (string.Create(CultureInfo.InvariantCulture, $"{letter}{bucket.Key}"), bucket.Value)));
        }

        return changes;
    }

    private static long Sum(Item item, string name) => item.LongOrNull(name) ?? 0;

    private static char Letter(Grain grain) => grain switch { Grain.Quarter => 'q', Grain.Day => 'd', _ => 'm' };

    private static string CombinationOf(LedgerRow row)
    {
        // Lengths, so that no two combinations read alike.
        var text = new StringBuilder(IsAnonymous(row) ? "-" : "u");
        foreach (var part in new[] { row.Project.Value, row.Key.Value, row.Model, row.Provider }) text.Append(CultureInfo.InvariantCulture, $"{part.Length}:{part}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, 16));
    }
}
