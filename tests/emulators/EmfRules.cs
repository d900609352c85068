using System.Text.Json;
using System.Text.Json.Nodes;

namespace Penstock.Emulators;

/// <summary>
/// The JSON schema of the Embedded Metric Format, and what its text says beyond that: every dimension and metric that is declared is a member of the root.
/// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
/// </summary>
internal static class EmfRules
{
    private static readonly HashSet<string> Units =
    [
        "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count",
        "Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second",
        "Count/Second", "None",
    ];

    public static IReadOnlyList<string> Broken(JsonObject root)
    {
        var broken = new List<string>();
        if (root["_aws"] is not JsonObject aws) return ["no _aws"];
        if (aws["Timestamp"] is not JsonValue time || !time.TryGetValue(out long at) || at < 0) broken.Add("Timestamp");
        if (aws["CloudWatchMetrics"] is not JsonArray { Count: > 0 } directives) return [.. broken, "CloudWatchMetrics"];
        foreach (var directive in directives)
        {
            if (directive?["Namespace"]?.GetValueKind() != JsonValueKind.String || ((string)directive["Namespace"]!).Length is 0 or > 1024) broken.Add("Namespace");
            if (directive?["Dimensions"] is not JsonArray { Count: > 0 } sets) broken.Add("Dimensions");
            else foreach (var set in sets) broken.AddRange(BrokenSet(root, set));
            if (directive?["Metrics"] is not JsonArray { Count: > 0 and <= 100 } metrics) broken.Add("Metrics");
            else foreach (var metric in metrics) broken.AddRange(BrokenMetric(root, metric));
        }

        return broken;
    }

    private static IEnumerable<string> BrokenSet(JsonObject root, JsonNode? set)
    {
        if (set is not JsonArray { Count: >= 1 and <= 30 } names) return ["a set of dimensions"];
        return names.Select(name => (string)name!).Where(name => name.Length is 0 or > 250 || root[name]?.GetValueKind() != JsonValueKind.String || ((string)root[name]!).Length is 0 or > 1024).Select(name => $"dimension {name}");
    }

    private static IEnumerable<string> BrokenMetric(JsonObject root, JsonNode? metric)
    {
        var name = (string?)metric?["Name"] ?? "";
        if (name.Length is 0 or > 1024) yield return "a metric's name";
        if (metric?["Unit"] is { } unit && !Units.Contains((string)unit!)) yield return $"unit of {name}";
        var numbers = root[name] is JsonArray { Count: >= 1 and <= 100 } values ? values.All(value => value?.GetValueKind() == JsonValueKind.Number) : root[name]?.GetValueKind() == JsonValueKind.Number;
        if (!numbers) yield return $"value of {name}";
    }
}
