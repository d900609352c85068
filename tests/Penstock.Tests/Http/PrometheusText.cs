using System.Globalization;
using System.Text.RegularExpressions;
using Xunit;

namespace Penstock.Tests.Http;

/// <summary>A strict reader of Prometheus' text format 0.0.4: whatever a scraper might stumble over fails here.</summary>
internal static partial class PrometheusText
{
    public static IReadOnlyList<Sample> Parse(string text)
    {
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', text);
        var (types, helped, seen, samples) = (new Dictionary<string, string>(), new HashSet<string>(), new HashSet<string>(), new List<Sample>());
        string? family = null;
        foreach (var line in text.TrimEnd('\n').Split('\n'))
        {
            if (Comment().Match(line) is { Success: true } comment)
            {
                var name = comment.Groups["name"].Value;
                if (comment.Groups["kind"].Value == "HELP") Assert.True(helped.Add(name), $"HELP twice: {name}");
                else Assert.True(types.TryAdd(name, comment.Groups["rest"].Value), $"TYPE twice: {name}");
                family = name;
                continue;
            }

            var sample = Read(line);
            Assert.True(seen.Add(line[..line.LastIndexOf(' ')]), $"series twice: {line}");
            Assert.True(family is not null && types.ContainsKey(family), $"no TYPE before {line}");
            Assert.True(BelongsTo(sample, family!, types[family!]), $"{line} stands under {family} ({types[family!]})");
            samples.Add(sample);
        }

        foreach (var (name, type) in types)
        {
            Assert.Contains(type, new[] { "counter", "gauge", "histogram" });
            if (type == "counter") Assert.EndsWith("_total", name, StringComparison.Ordinal);
            if (type == "histogram") CheckHistogram(name, samples);
        }

        return samples;
    }

    private static Sample Read(string line)
    {
        var match = SampleLine().Match(line);
        Assert.True(match.Success, $"no sample: {line}");
        var labels = new Dictionary<string, string>();
        foreach (Match label in LabelPair().Matches(match.Groups["labels"].Value)) Assert.True(labels.TryAdd(label.Groups["name"].Value, label.Groups["value"].Value), $"label twice: {line}");
        return new Sample(match.Groups["name"].Value, labels, double.Parse(match.Groups["value"].Value, NumberStyles.Float, CultureInfo.InvariantCulture));
    }

    private static bool BelongsTo(Sample sample, string family, string type) => type == "histogram"
        ? sample.Name == family + "_sum" || sample.Name == family + "_count" || (sample.Name == family + "_bucket" && sample.Labels.ContainsKey("le"))
        : sample.Name == family;

    private static void CheckHistogram(string name, List<Sample> samples)
    {
        foreach (var series in samples.Where(sample => sample.Name == name + "_bucket").GroupBy(Series))
        {
            var bounds = series.Select(sample => sample.Labels["le"] == "+Inf" ? double.PositiveInfinity : double.Parse(sample.Labels["le"], CultureInfo.InvariantCulture)).ToArray();
            Assert.Equal(bounds.Order(), bounds);
            Assert.Equal(double.PositiveInfinity, bounds[^1]);
            var counts = series.Select(sample => sample.Value).ToArray();
            Assert.Equal(counts.Order(), counts);
            Assert.Equal(counts[^1], Assert.Single(samples, sample => sample.Name == name + "_count" && Series(sample) == series.Key).Value);
            Assert.Single(samples, sample => sample.Name == name + "_sum" && Series(sample) == series.Key);
        }
    }

    private static string Series(Sample sample) => string.Join(',', sample.Labels.Where(label => label.Key != "le").OrderBy(label => label.Key, StringComparer.Ordinal));

    [GeneratedRegex(@"^# (?<kind>HELP|TYPE) (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<rest>[^\n]*)\z")]
    private static partial Regex Comment();

    [GeneratedRegex(@"^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?<labels>[a-zA-Z_][a-zA-Z0-9_]*=""([^""\\\n]|\\[\\""n])*""(,[a-zA-Z_][a-zA-Z0-9_]*=""([^""\\\n]|\\[\\""n])*"")*)\})? (?<value>[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)|NaN)\z")]
    private static partial Regex SampleLine();

    [GeneratedRegex(@"(?<name>[a-zA-Z_][a-zA-Z0-9_]*)=""(?<value>([^""\\]|\\.)*)""")]
    private static partial Regex LabelPair();
}

internal sealed record Sample(string Name, IReadOnlyDictionary<string, string> Labels, double Value);
