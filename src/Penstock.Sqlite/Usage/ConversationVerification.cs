using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Usage;

/// <summary>Conversations against the entries, and the counts of them by day and cost against the conversations.</summary>
internal static class ConversationVerification
{
    internal const string SelectBoth = """
        SELECT conversation,
          min(first) FILTER (WHERE entry), max(last) FILTER (WHERE entry), sum(attempts) FILTER (WHERE entry), sum(cost) FILTER (WHERE entry),
          min(first) FILTER (WHERE NOT entry), max(last) FILTER (WHERE NOT entry), sum(attempts) FILTER (WHERE NOT entry), sum(cost) FILTER (WHERE NOT entry)
        FROM (
          SELECT 1 AS entry, conversation, at AS first, at AS last, kind <> 3 AS attempts, cost_nanos AS cost
          FROM ledger WHERE tenant = $tenant AND kind > 0 AND conversation <> ''
          UNION ALL
          SELECT 0, conversation, first_at, last_at, attempts, cost_nanos FROM conversations WHERE tenant = $tenant)
        GROUP BY conversation
        """;

    internal const string SelectPlaces = "SELECT day, bucket, conversations FROM conversation_costs WHERE tenant = $tenant";

    public static void Run(Session session, TenantId tenant, long since, List<string> differences)
    {
        var places = new Dictionary<(long Day, int Bucket), long>();
        using (var rows = session.Use(SelectBoth))
        {
            rows.Set("$tenant", tenant.Value);
            while (rows.Step())
            {
                var (entries, kept) = (Read(rows, 1), Read(rows, 5));
                if (kept is { } conversation) places[conversation.Place] = places.GetValueOrDefault(conversation.Place) + 1;
                if (entries == kept || kept?.First < since) continue;
                differences.Add($"Tenant '{tenant}', conversation '{rows.Text(0)}': {entries?.Attempts ?? 0} attempts of {entries?.Cost ?? Money.Zero} are summed as {kept?.Attempts ?? 0} of {kept?.Cost ?? Money.Zero}.");
            }
        }

        ComparePlaces(session, tenant, places, differences);
    }

    private static void ComparePlaces(Session session, TenantId tenant, Dictionary<(long Day, int Bucket), long> places, List<string> differences)
    {
        using var rows = session.Use(SelectPlaces);
        rows.Set("$tenant", tenant.Value);
        while (rows.Step())
        {
            var place = (rows.Long(0), rows.Int(1));
            places[place] = places.GetValueOrDefault(place) - rows.Long(2);
        }

        foreach (var ((day, bucket), missing) in places.Where(place => place.Value != 0))
            differences.Add($"Tenant '{tenant}', conversations that began on {DateTimeOffset.UnixEpoch.AddDays(day):yyyy-MM-dd}: {missing} more cost as much as bucket {bucket} than are counted.");
    }

    private static ConversationSum? Read(Statement row, int column) =>
        row.LongOrNull(column) is { } first ? new ConversationSum(first, row.Long(column + 1), row.Long(column + 2), new Money(row.Long(column + 3))) : null;
}
