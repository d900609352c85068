using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>What entries of one conversation add up to. <see cref="First"/> and <see cref="Last"/> in Unix milliseconds.</summary>
internal readonly record struct ConversationSum(long First, long Last, long Attempts, Money Cost)
{
    public static ConversationSum Of(LedgerEntryKind kind, LedgerRow row)
    {
        var at = row.At.ToUnixTimeMilliseconds();
        return new ConversationSum(at, at, kind == LedgerEntryKind.Adjust ? 0 : 1, row.Cost);
    }

    public static ConversationSum operator +(ConversationSum left, ConversationSum right) =>
        new(Math.Min(left.First, right.First), Math.Max(left.Last, right.Last), left.Attempts + right.Attempts, left.Cost + right.Cost);

    /// <summary>Where the conversation counts: the day of its first call, and its cost.</summary>
    public (long Day, int Bucket) Place => (Tiles.Floor(First, Tiles.DayMs) / Tiles.DayMs, LogHistogram.BucketOf(Cost.NanoDollars));
}

/// <summary>The tables <c>conversations</c> and <c>conversation_costs</c>.</summary>
internal static class Conversations
{
    internal const string SelectConversation =
        "SELECT first_at, last_at, attempts, cost_nanos FROM conversations WHERE tenant = $tenant AND conversation = $conversation";

    internal const string PutConversation = """
        INSERT INTO conversations (tenant, conversation, first_at, last_at, attempts, cost_nanos)
        VALUES ($tenant, $conversation, $first, $last, $attempts, $cost)
        ON CONFLICT (tenant, conversation) DO UPDATE SET
          first_at = excluded.first_at, last_at = excluded.last_at, attempts = excluded.attempts, cost_nanos = excluded.cost_nanos
        """;

    internal const string AddPlace = """
        INSERT INTO conversation_costs (tenant, day, bucket, conversations) VALUES ($tenant, $day, $bucket, $change)
        ON CONFLICT (tenant, day, bucket) DO UPDATE SET conversations = conversations + excluded.conversations
        """;

    internal const string SelectPlaces = """
        SELECT bucket, sum(conversations) FROM conversation_costs
        WHERE tenant = $tenant AND day >= $from AND day < $to GROUP BY bucket HAVING sum(conversations) <> 0
        """;

    /// <summary>Adds to the conversations, and moves each that began earlier or cost more than was known to where it counts now.</summary>
    public static void Add(Session session, Dictionary<(TenantId Tenant, string Name), ConversationSum> added)
    {
        var moves = new Dictionary<(TenantId, long Day, int Bucket), long>();
        foreach (var (key, sum) in added)
        {
            var whole = sum;
            if (Find(session, key.Tenant, key.Name) is { } known)
            {
                whole = known + sum;
                if (known.Place != whole.Place) Move(moves, key.Tenant, known.Place, -1);
                if (known.Place != whole.Place) Move(moves, key.Tenant, whole.Place, 1);
            }
            else
            {
                Move(moves, key.Tenant, whole.Place, 1);
            }

            Put(session, key.Tenant, key.Name, whole);
        }

        foreach (var ((tenant, day, bucket), change) in moves.Where(move => move.Value != 0))
        {
            using var add = session.Use(AddPlace);
            add.Set("$tenant", tenant.Value).Set("$day", day).Set("$bucket", bucket).Set("$change", change).Run();
        }
    }

    public static LogHistogram Costs(Session session, TenantId tenant, DateTimeOffset from, DateTimeOffset to)
    {
        using var rows = session.Use(SelectPlaces);
        var (first, last) = (from.ToUnixTimeMilliseconds(), to.ToUnixTimeMilliseconds());
        rows.Set("$tenant", tenant.Value).Set("$from", Tiles.Floor(first, Tiles.DayMs) / Tiles.DayMs).Set("$to", Tiles.Floor(last + Tiles.DayMs - 1, Tiles.DayMs) / Tiles.DayMs);
        var histogram = new LogHistogram();
        while (rows.Step()) histogram.AddBucket(rows.Int(0), rows.Long(1));
        return histogram;
    }

    /// <summary>The part of the range that the conversation was going on in.</summary>
    public static (long From, long To) Narrow(Session session, TenantId tenant, string name, long from, long to) =>
        Find(session, tenant, name) is { } known ? (Math.Max(from, known.First), Math.Min(to, known.Last + 1)) : (to, to);

    public static ConversationSum? Find(Session session, TenantId tenant, string name)
    {
        using var row = session.Use(SelectConversation);
        row.Set("$tenant", tenant.Value).Set("$conversation", name);
        return row.Step() ? new ConversationSum(row.Long(0), row.Long(1), row.Long(2), new Money(row.Long(3))) : null;
    }

    private static void Put(Session session, TenantId tenant, string name, ConversationSum sum)
    {
        using var put = session.Use(PutConversation);
        put.Set("$tenant", tenant.Value)
            .Set("$conversation", name)
            .Set("$first", sum.First)
            .Set("$last", sum.Last)
            .Set("$attempts", sum.Attempts)
            .Set("$cost", sum.Cost.NanoDollars)
            .Run();
    }

    private static void Move(Dictionary<(TenantId, long, int), long> moves, TenantId tenant, (long Day, int Bucket) place, long change) =>
        moves[(tenant, place.Day, place.Bucket)] = moves.GetValueOrDefault((tenant, place.Day, place.Bucket)) + change;
}
