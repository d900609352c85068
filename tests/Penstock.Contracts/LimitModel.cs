using Penstock.Limits;

namespace Penstock.Contracts;

/// <summary>Three buckets and two limits of slots, counted in the plainest way.</summary>
internal sealed class LimitModel(ulong seed, SeededSource seeded)
{
    private static readonly int[] Sizes = [5, 12, 40];
    private static readonly int[] Rates = [1, 2, 5];
    private static readonly int[] Most = [1, 3];

    private readonly int[] _tokens = [.. Sizes];
    private readonly HashSet<string>[] _leases = [[], []];

    public void Pass(int seconds)
    {
        for (var i = 0; i < _tokens.Length; i++) _tokens[i] = Math.Min(Sizes[i], _tokens[i] + (seconds * Rates[i]));
    }

    public (BucketTake[] Buckets, SlotTake[] Slots, string Lease) Wanted() =>
        ([.. Chosen(3).Select(i => Bucket(i, seeded.Below(Sizes[i] + 1)))], [.. Chosen(2).Select(i => new SlotTake(Name("s", i), Most[i]))], $"{seed}.{seeded.Below(4)}");

    public (int? Refusing, double[] Left) Take(BucketTake[] buckets, SlotTake[] slots, string lease)
    {
        var refusing = Refusing(buckets, slots, lease);
        foreach (var bucket in refusing is null ? buckets : []) _tokens[IndexOf(bucket.Name)] -= (int)bucket.Amount;
        foreach (var slot in refusing is null ? slots : []) _leases[IndexOf(slot.Name)].Add(lease);
        return (refusing, [.. buckets.Select(bucket => (double)_tokens[IndexOf(bucket.Name)])]);
    }

    public (BucketTake[] Buckets, SlotTake[] Slots, string Lease) Return()
    {
        var (buckets, slots, lease) = Wanted();
        for (var i = 0; i < buckets.Length; i++) buckets[i] = buckets[i] with { Amount = seeded.Below(16) - 4 };
        foreach (var bucket in buckets) _tokens[IndexOf(bucket.Name)] = Math.Min((int)bucket.Size, _tokens[IndexOf(bucket.Name)] + (int)bucket.Amount);
        foreach (var slot in slots) _leases[IndexOf(slot.Name)].Remove(lease);
        return (buckets, slots, lease);
    }

    private int? Refusing(BucketTake[] buckets, SlotTake[] slots, string lease)
    {
        var lacking = Enumerable.Range(0, buckets.Length).Where(i => buckets[i].Amount > 0 && _tokens[IndexOf(buckets[i].Name)] < buckets[i].Amount).ToArray();
        if (lacking.Length > 0) return lacking.MaxBy(i => (buckets[i].Amount - _tokens[IndexOf(buckets[i].Name)]) / buckets[i].PerSecond);
        for (var i = 0; i < slots.Length; i++)
        {
            var leases = _leases[IndexOf(slots[i].Name)];
            if (!leases.Contains(lease) && leases.Count >= slots[i].Most) return buckets.Length + i;
        }

        return null;
    }

    private static int IndexOf(string name) => name[^1] - '0';

    private int[] Chosen(int of) => [.. Enumerable.Range(0, of).Where(_ => seeded.Below(2) == 0)];

    private string Name(string kind, int i) => $"{kind}{seed}.{i}";

    private BucketTake Bucket(int i, int amount) => new(Name("b", i), Sizes[i], Rates[i], amount);
}
