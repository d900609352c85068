using System.Globalization;
using System.Text;
using Amazon.DynamoDBv2.Model;
using Penstock.Kernel;
using Penstock.Limits;

namespace Penstock.Aws.DynamoDb.Limits;

/// <summary>A write of one item, and the condition under which it is one.</summary>
internal sealed record Change(string Update, string Condition, Item Values);

/// <summary>One limit's item as it was last seen.</summary>
internal interface ILimitItem
{
    Item Key { get; }

    /// <summary>Null or empty where it is not there.</summary>
    void Seen(Item? item);

    /// <param name="until">To when a slot is the lease's.</param>
    Change TakeAt(long now, long until);

    /// <summary>Whether what refused a write is that same write, whose answer was lost.</summary>
    bool WasWrittenBy(string token, Item refused);
}

internal static class Nanoseconds
{
    public static long Of(TimeSpan time) => time.Ticks * TimeSpan.NanosecondsPerTick;

    public static long Of(double seconds) => (long)(seconds * 1e9);

    /// <summary>To the tick, rounded up.</summary>
    public static TimeSpan ToTime(long nanoseconds) => new((nanoseconds + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick);
}

/// <summary>
/// A bucket is one number: the time at which it will be full, in nanoseconds since 1970. To take is to add the time in which the amount refills, on the condition
/// that the sum is not further away than an empty bucket's; whoever adds first, both conditions hold where there is enough (the generic cell rate algorithm,
/// ITU-T I.371). A time in the past is a full bucket, and so is no item.
/// </summary>
internal sealed class BucketItem(TenantId tenant, BucketTake take) : ILimitItem
{
    /// <summary>An item that nothing changed for that long beyond its refill is dropped.</summary>
    public const long KeptSeconds = 30 * 24 * 3600;

    private const long LongestDebt = 10_000_000_000_000_000;
    private const long LongestRefill = 100 * LongestDebt;

    private const string Add = "SET #full_at = #full_at + :time, #last = :token, #ttl = :ttl";
    private const string Begin = "SET #full_at = :begun, #last = :token, #ttl = :ttl";
    private const string Subtract = "SET #full_at = #full_at - :time, #last = :token";

    private const string IsFull = "attribute_not_exists(#full_at) OR #full_at < :now";
    private const string IsNotFull = "#full_at >= :now AND #last <> :token";
    private const string HasEnough = $"{IsNotFull} AND #full_at <= :furthest";
    private const string IsKnown = "attribute_exists(#full_at) AND #last <> :token";

    private long? _fullAt;

    public BucketTake Take => take;

    public Item Key { get; } = new Item().Set("id", $"t#{KeyPart.Of(tenant.Value)}#bucket#{KeyPart.Of(take.Name)}");

    public bool IsThere => _fullAt is not null;

    public void Seen(Item? item) => _fullAt = item?.LongOrNull("full_at");

    public double LeftAt(long now) => take.Size - (Math.Max(0, (_fullAt ?? 0) - now) / 1e9 * take.PerSecond);

    public TimeSpan WaitAt(long now) => take.Amount > 0 && (_fullAt ?? 0) > Furthest(now) ? Nanoseconds.ToTime(_fullAt!.Value - Furthest(now)) : TimeSpan.Zero;

    public Change TakeAt(long now, long until) => IsFullAt(now)
        ? new Change(Begin, IsFull, Values(now).Set(":now", now).Set(":begun", now + Time))
        : new Change(Add, HasEnough, Values(now).Set(":now", now).Set(":time", Time).Set(":furthest", Furthest(now)));

    public Change ReturnAt(long now)
    {
        if (take.Amount > 0) return new Change(Subtract, IsKnown, new Item().Set(":time", Time));
        return IsFullAt(now)
            ? new Change(Begin, IsFull, Values(now).Set(":now", now).Set(":begun", now + Time))
            : new Change(Add, IsNotFull, Values(now).Set(":now", now).Set(":time", Time));
    }

    public bool WasWrittenBy(string token, Item refused) => refused.TextOrNull("last") == token;

    /// <summary>In which the amount refills. Rounded down, so that a bucket never has less than its size in it; bounded, so that no debt goes beyond all time.</summary>
    private long Time => Math.Min(Nanoseconds.Of(Math.Abs(take.Amount) / take.PerSecond), take.Amount < 0 ? LongestDebt : LongestRefill);

    /// <summary>When a bucket from which the amount can be taken may be full at the latest.</summary>
    private long Furthest(long now) => now + (long)Math.Ceiling((take.Size - take.Amount) / take.PerSecond * 1e9);

    private bool IsFullAt(long now) => _fullAt is not { } fullAt || fullAt < now;

    private Item Values(long now) => new Item().Set(":ttl", (now / 1_000_000_000) + (long)Math.Min(take.Size / take.PerSecond, KeptSeconds * 100) + KeptSeconds);
}

/// <summary>The slots of one limit: a map from each lease to the time at which it ends. To take one is to add to it, on the condition that it is small enough.</summary>
internal sealed class SlotItem(TenantId tenant, SlotTake take, string lease) : ILimitItem
{
    /// <summary>Ended leases that are removed at once; an expression has its limits.</summary>
    private const int MostPurged = 25;

    private const string Begin = "SET #leases = :leases, #last = :token, #ttl = :ttl";
    private const string IsNew = "attribute_not_exists(#leases)";

    private readonly string _name = NameOf(lease);
    private Dictionary<string, long>? _leases;

    public Item Key { get; } = new Item().Set("id", $"t#{KeyPart.Of(tenant.Value)}#slots#{KeyPart.Of(take.Name)}");

    /// <summary>Whether leases that ended take up the room.</summary>
    public bool NeedsPurge => _leases is { } leases && leases.Count >= take.Most && !leases.ContainsKey(_name);

    public void Seen(Item? item) =>
        _leases = item?.Attributes.TryGetValue("leases", out var map) == true ? (map.M ?? []).ToDictionary(entry => entry.Key, entry => long.Parse(entry.Value.N, CultureInfo.InvariantCulture), StringComparer.Ordinal) : null;

    public bool HasRoomAt(long now) => _leases is not { } leases || leases.Count < take.Most || leases.GetValueOrDefault(_name) > now || leases.Values.Count(until => until > now) < take.Most;

    public Change TakeAt(long now, long until)
    {
        var values = new Item().Set(":ttl", (until / 1_000_000_000) + BucketItem.KeptSeconds);
        if (_leases is not null) return new Change($"SET #leases.#{_name} = :until, #last = :token, #ttl = :ttl", $"attribute_exists(#leases.#{_name}) OR size(#leases) < :most", values.Set(":until", until).Set(":most", (long)take.Most));

        values.Attributes[":leases"] = new AttributeValue { M = new() { [_name] = new AttributeValue { N = until.ToString(CultureInfo.InvariantCulture) } } };
        return new Change(Begin, IsNew, values);
    }

    public Change Free() => new($"SET #last = :token REMOVE #leases.#{_name}", $"attribute_exists(#leases.#{_name})", new Item());

    /// <summary>Removes leases that ended, if they are still what they were.</summary>
    public Change? Purge(long now)
    {
        var ended = _leases?.Where(entry => entry.Value <= now).Take(MostPurged).ToArray() ?? [];
        if (ended.Length == 0) return null;
        var values = new Item();
        for (var i = 0; i < ended.Length; i++) values.Set($":u{i}", ended[i].Value);
        return new Change(
            $"SET #last = :token REMOVE {string.Join(", ", ended.Select(entry => $"#leases.#{entry.Key}"))}",
            string.Join(" AND ", ended.Select((entry, i) => $"#leases.#{entry.Key} = :u{i}")),
            values);
    }

    /// <summary>Taken twice, a slot is the same slot.</summary>
    public bool WasWrittenBy(string token, Item refused) => false;

    /// <summary>As the name of a map's entry may be written in an expression.</summary>
    private static string NameOf(string lease) => lease.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') ? $"l{lease}" : $"x{Convert.ToHexStringLower(Encoding.UTF8.GetBytes(lease))}";
}
