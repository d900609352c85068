using System.Globalization;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Ledger;

/// <summary>
/// Where the ledger's items stand.
/// <code>
/// ai-platform-ledger   t#T#e#attempt   / reserve, close, adjust   an attempt's entries; in by-number under t#T#log#shard. The end of one that was
///                                                                 admitted from a slice stands at reserve; a slice has return#n and adjust#attempt
///                      t#T#h#shard     / attempt                  a hold; in by-due under hold#shard
///                      t#T#days        / 2026-11-21               a day with attempts;    tenants / T    a tenant with any
///                      t#T#q|d|m…      / …                        rollups: see Rollups
///                      t#T#c#name      / conversation             a conversation; t#T#cd#shard / day     a day's histogram of them
/// ai-platform-usage    t#T#a#2026-11-21#shard / number            an attempt as it was booked
/// </code>
/// </summary>
internal static class LedgerKeys
{
    /// <summary>Over how many items what many calls write is spread.</summary>
    public const int Shards = 8;

    public const string Reserve = "reserve";
    public const string Close = "close";
    public const string Adjust = "adjust";

    public static string Tenant(TenantId tenant) => $"t#{KeyPart.Of(tenant.Value)}";

    public static int ShardOf(AttemptId attempt) => KeyPart.Shard(attempt.Value, Shards);

    public static string Entries(TenantId tenant, AttemptId attempt) => $"{Tenant(tenant)}#e#{KeyPart.Of(attempt.Value)}";

    public static string Log(TenantId tenant, int shard) => $"{Tenant(tenant)}#log#{shard}";

    public static string Holds(TenantId tenant, int shard) => $"{Tenant(tenant)}#h#{shard}";

    public static Item Hold(TenantId tenant, AttemptId attempt) => Item.Key(Holds(tenant, ShardOf(attempt)), KeyPart.Of(attempt.Value));

    public static string DueHolds(int shard) => $"hold#{shard}";

    public static string Days(TenantId tenant) => $"{Tenant(tenant)}#days";

    public static string Attempts(TenantId tenant, DateOnly day, int shard) => $"{Tenant(tenant)}#a#{Day(day)}#{shard}";

    public static string Day(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    public static DateOnly DayOf(DateTimeOffset at) => DateOnly.FromDateTime(at.UtcDateTime);
}
