using System.Globalization;
using System.Text.RegularExpressions;

namespace Penstock.Upstream;

/// <summary>One order to the stand-in, such as <c>[[status:429:retry-after=1]]</c>. README.md lists them all.</summary>
internal sealed partial record Marker(string Name, IReadOnlyList<string> Values, IReadOnlyDictionary<string, string> Options)
{
    private static readonly string[] Known =
    [
        "status", "flaky", "insufficient_quota", "silent", "slow", "error-in-stream", "malformed-chunk", "cut", "cut-eof", "unknown-event",
        "no-usage", "zero-usage", "bare-delta", "cached", "cache-write", "cache-write-1h", "reasoning", "huge", "empty-args", "preamble", "think", "refuse", "filter",
    ];

    /// <summary>Tokens sent before it takes effect; null where the marker does not say.</summary>
    public int? After => Options.TryGetValue("after", out var text) ? Whole(text) : null;

    public int Value(int position, int otherwise) => position < Values.Count ? Whole(Values[position]) : otherwise;

    public int Option(string name, int otherwise) => Options.TryGetValue(name, out var text) ? Whole(text) : otherwise;

    /// <summary>The markers in <paramref name="text"/> that are meant for <paramref name="model"/>.</summary>
    public static IReadOnlyList<Marker> In(string text, string model) =>
        [.. Pattern().Matches(text).Select(Read).Where(marker => !marker.Options.TryGetValue("on", out var on) || on == model)];

    public static string Strip(string text) => Pattern().Replace(text, "").Trim();

    private static Marker Read(Match match)
    {
        var parts = match.Groups[1].Value.Split(':');
        if (!Known.Contains(parts[0])) throw new VendorRefusal(400, "invalid_request_error", $"stand-in: no marker is called '{parts[0]}'");
        return new Marker(
            parts[0],
            [.. parts[1..].Where(part => !part.Contains('='))],
            parts[1..].Where(part => part.Contains('=')).Select(part => part.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]));
    }

    private static int Whole(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        ? number
        : throw new VendorRefusal(400, "invalid_request_error", $"stand-in: '{text}' in a marker is no number");

    [GeneratedRegex(@"\[\[([a-z][a-z0-9_-]*(?::[^\[\]:]+)*)\]\]")]
    private static partial Regex Pattern();
}
