using System.Security.Cryptography;
using System.Text;
using Penstock.Budgets;

namespace Penstock.Alerts;

/// <summary>When what was not taken is sent again: after 5 s, then after twice as long each time, up to an hour, for three days.</summary>
internal static class Backoff
{
    public static readonly TimeSpan GiveUpAfter = TimeSpan.FromDays(3);

    private static readonly TimeSpan First = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>
    /// Between 75 and 100 % of the time above: alerts that failed together do not all come back together. The share follows from the alert and the try,
    /// so that every node finds the same.
    /// </summary>
    public static TimeSpan After(BudgetAlert alert)
    {
        var full = Math.Min(Longest.Ticks, First.Ticks << Math.Clamp(alert.Tries - 1, 0, 20));
        var dice = SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{alert.Id}:{alert.Tries}")))[0];
        return TimeSpan.FromTicks(full - (full / 4 * dice / byte.MaxValue));
    }
}
