using System.Globalization;

namespace Penstock.Guards;

/// <summary>What was found in one direction of one request.</summary>
/// <param name="record">Told of every match.</param>
internal sealed class GuardTally(Action<GuardRule> record)
{
    private readonly SortedDictionary<string, int> _counts = new(StringComparer.Ordinal);

    /// <summary>Name of the first rule that blocks; null where none did.</summary>
    public string? BlockedBy { get; private set; }

    public void Add(GuardRule rule)
    {
        _counts[rule.Name] = _counts.GetValueOrDefault(rule.Name) + 1;
        if (rule.Action == GuardAction.Block) BlockedBy ??= rule.Name;
        record(rule);
    }

    /// <summary>Such as <c>card=1,email=2</c>, of both; empty where nothing was found.</summary>
    public static string Text(GuardTally one, GuardTally other)
    {
        var all = one._counts.Concat(other._counts).GroupBy(count => count.Key).OrderBy(group => group.Key, StringComparer.Ordinal);
        return string.Join(',', all.Select(group => string.Create(CultureInfo.InvariantCulture, $"{group.Key}={group.Sum(count => count.Value)}")));
    }
}
