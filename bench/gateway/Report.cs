using System.Globalization;

namespace Penstock.Bench.Gateway;

/// <summary>The one table, and what it is held to.</summary>
internal sealed class Report(Options options, Dictionary<string, Results> results)
{
    public bool Print()
    {
        var direct = results["direct"];
        Line("", name => name);
        Line($"calls a second, {options.Connections} connections", name => Show(Results.Middle(results[name].Saturation, each => each.Rps), "0"));
        Line("  p50 there, ms", name => Show(Results.Middle(results[name].Saturation, each => each.P50), "0.00"));
        Line("  p99 there, ms", name => Show(Results.Middle(results[name].Saturation, each => each.P99), "0.00"));
        Line("  p50 added there, ms", name => name == "direct" ? "" : Show(Results.Added(results[name].Saturation, direct.Saturation, each => each.P50), "0.00"));
        Line("  p99 added there, ms", name => name == "direct" ? "" : Show(Results.Added(results[name].Saturation, direct.Saturation, each => each.P99), "0.00"));
        Line("  processor time per call, µs", name => name == "direct" ? "" : Show(Results.Middle(results[name].Saturation, each => each.CpuMicros), "0.0"));
        Line("  of one core, %", name => name == "direct" ? "" : Show(Results.Middle(results[name].Saturation, each => each.Busy * 100), "0"));
        Line($"at {options.Rate} calls a second: p50, ms", name => Show(Results.Middle(results[name].Rate, each => each.P50), "0.00"));
        Line("  p99, ms", name => Show(Results.Middle(results[name].Rate, each => each.P99), "0.00"));
        Line("  p50 added, ms", name => name == "direct" ? "" : Show(Results.Added(results[name].Rate, direct.Rate, each => each.P50), "0.00"));
        Line("  p99 added, ms", name => name == "direct" ? "" : Show(Results.Added(results[name].Rate, direct.Rate, each => each.P99), "0.00"));
        Line("  processor time per call, µs", name => name == "direct" ? "" : Show(Results.Middle(results[name].Rate, each => each.CpuMicros), "0.0"));
        Line("first word of a stream: p50, ms", name => Show(Results.Middle(results[name].First, each => each.P50), "0.00"));
        Line("  p50 added, ms", name => name == "direct" ? "" : Show(Results.Added(results[name].First, direct.First, each => each.P50), "0.00"));
        Line("  p99 added, ms", name => name == "direct" ? "" : Show(Results.Added(results[name].First, direct.First, each => each.P99), "0.00"));
        Line($"MiB before {options.Streams} streams", name => Show(results[name].Streams?.Before, "0"));
        Line($"MiB with {options.Streams} streams open", name => Show(results[name].Streams?.Open, "0"));
        Line("start to the first answer: p50, ms", name => results[name].Starts is { Length: > 0 } starts ? Show(Pacer.Percentile(starts, 50), "0") : "");
        Line("  slowest, ms", name => results[name].Starts is { Length: > 0 } starts ? Show(starts[^1], "0") : "");
        Line("calls asked", name => Show(results[name].Asked, "0"));
        Line("calls in the ledger", name => results[name].Booked > 0 ? Show(results[name].Booked, "0") : "");
        Console.WriteLine();
        return Judge();
    }

    private bool Judge()
    {
        var (penstock, direct) = (results["penstock"], results["direct"]);
        bool?[] met =
        [
            Hold("calls a second, of nginx's", Results.Ratio(penstock.Saturation, results["nginx"].Saturation, each => each.Rps), atLeast: 0.5, "0.00"),
            Hold("calls a second, of Portkey's", Results.Ratio(penstock.Saturation, results.GetValueOrDefault("portkey")?.Saturation ?? [], each => each.Rps), atLeast: 8, "0.0"),
            Hold($"p99 added at {options.Rate} a second, ms", Results.Added(penstock.Rate, direct.Rate, each => each.P99), atMost: 3, "0.00"),
            Hold("p99 of the first word added, ms", Results.Added(penstock.First, direct.First, each => each.P99), atMost: 3, "0.00"),
            Hold($"MiB with {options.Streams} streams", penstock.Streams?.Open, atMost: 250, "0"),
            Say("calls in the ledger", penstock.Booked, $"{penstock.Asked} to {penstock.Asked + penstock.CutOff}", penstock.Booked >= penstock.Asked && penstock.Booked <= penstock.Asked + penstock.CutOff, "0"),
        ];
        return !met.Contains(false);
    }

    private static bool? Hold(string what, double? value, double? atLeast, string format) =>
        Say(what, value, $"at least {atLeast?.ToString(CultureInfo.InvariantCulture)}", value >= atLeast, format);

    private static bool? Hold(string what, double? value, int atMost, string format) => Say(what, value, $"at most {atMost.ToString(CultureInfo.InvariantCulture)}", value <= atMost, format);

    private static bool? Say(string what, double? value, string bound, bool met, string format)
    {
        if (value is null) return null;
        Console.WriteLine($"{what,-42}{Show(value, format),10}   {bound,-24}{(met ? "met" : "SHORT")}");
        return met;
    }

    private static string Show(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "";

    private void Line(string title, Func<string, string> cell) =>
        Console.WriteLine($"{title,-42}{string.Concat(results.Keys.Select(name => $"{cell(name),11}"))}");
}
