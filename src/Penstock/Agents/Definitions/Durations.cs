using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Penstock.Kernel;

namespace Penstock.Agents.Definitions;

/// <summary>Times as people write them: <c>500ms</c>, <c>30s</c>, <c>20m</c>, <c>1h30m</c>, <c>7d</c>.</summary>
internal static partial class Durations
{
    /// <summary>Throws 400 where it is none, or outside its limits.</summary>
    public static TimeSpan Read(JsonView view, TimeSpan least, TimeSpan most)
    {
        var problem = $"must be a time from {Write(least)} to {Write(most)}, such as 500ms, 30s, 20m, 24h or 1h30m";
        if (view.Kind != System.Text.Json.JsonValueKind.String || Form().Match(view.Text()) is not { Success: true, Length: > 0 } match) throw view.Bad(problem);
        var milliseconds = Part(match, "d", 86_400_000) + Part(match, "h", 3_600_000) + Part(match, "m", 60_000) + Part(match, "s", 1_000) + Part(match, "ms", 1);
        var time = TimeSpan.FromMilliseconds(milliseconds);
        return time >= least && time <= most ? time : throw new RefusedException(Refusal.Invalid(view.Path, $"'{view.Path}' {problem}; it is {view.Text()}."));
    }

    /// <summary>As <see cref="Read"/> reads it back; finer than a millisecond is left out.</summary>
    public static string Write(TimeSpan time)
    {
        var text = new StringBuilder();
        Add(time.Days, "d");
        Add(time.Hours, "h");
        Add(time.Minutes, "m");
        Add(time.Seconds, "s");
        Add(time.Milliseconds, "ms");
        return text.Length > 0 ? text.ToString() : "0s";

        void Add(int count, string unit)
        {
            if (count > 0) text.Append(CultureInfo.InvariantCulture, $"{count}{unit}");
        }
    }

    private static long Part(Match match, string unit, long milliseconds) => match.Groups[unit] is { Success: true } part ? long.Parse(part.Value, CultureInfo.InvariantCulture) * milliseconds : 0;

    [GeneratedRegex(@"^(?:(?<d>[0-9]{1,6})d)?(?:(?<h>[0-9]{1,6})h)?(?:(?<m>[0-9]{1,6})m(?!s))?(?:(?<s>[0-9]{1,6})s)?(?:(?<ms>[0-9]{1,6})ms)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
