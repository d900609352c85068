using System.Diagnostics.Metrics;

namespace Penstock.Tools;

/// <summary>Calls of tools by name and outcome. Tools are the operator's, so that their names have bounds; never a key or an argument as a label.</summary>
internal sealed class ToolMetrics
{
    private readonly Histogram<double> _duration;

    public ToolMetrics(IMeterFactory meters, ToolPlaces places)
    {
        var meter = meters.Create("Penstock");
        _duration = meter.CreateHistogram("penstock.tool.duration", "s", "Duration of a tool call, the wait for a place included.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.02, 0.08, 0.32, 1.28, 5.12, 20.48, 81.92] });
        meter.CreateObservableGauge("penstock.tool.in_flight", () => places.Taken, "{call}", "Tool calls in flight.");
        meter.CreateObservableGauge("penstock.tool.waiting", () => places.Waiting, "{call}", "Tool calls that wait for a place.");
    }

    public void Record(string tool, string outcome, TimeSpan elapsed) => _duration.Record(elapsed.TotalSeconds, new("gen_ai.tool.name", tool), new("outcome", outcome));
}
