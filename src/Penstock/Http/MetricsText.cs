using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Penstock.Http;

/// <summary>
/// <c>/metrics</c> in Prometheus' text format 0.0.4: our own instruments, ASP.NET's and the runtime's. No instrument has a tenant, key or user as a label,
/// so the route needs no key.
/// </summary>
internal sealed class MetricsText : IDisposable
{
    private const int MostSeries = 10_000;

    private static readonly string[] Meters = ["Penstock", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime"];
    private static readonly double[] OtherBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> _series = new();
    private readonly MeterListener _listener = new();

    public MetricsText(IMeterFactory meters)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // A listener hears the whole process; what another host in it made is not ours.
            if (Meters.Contains(instrument.Meter.Name) && (instrument.Meter.Scope is null || instrument.Meter.Scope == meters)) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
    }

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("/metrics", (RequestDelegate)WriteAsync);

    public void Dispose() => _listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var key = (instrument, Labels(tags));
        if (!_series.TryGetValue(key, out var series))
        {
            if (_series.Count >= MostSeries) return;
            series = _series.GetOrAdd(key, static made => new Series(made.Instrument));
        }

        series.Record(value);
    }

    private async Task WriteAsync(HttpContext http)
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder(16 * 1024);
        foreach (var group in _series.GroupBy(series => series.Key.Instrument).OrderBy(group => group.Key.Name, StringComparer.Ordinal))
        {
            var name = NameOf(group.Key);
            text.Append("# HELP ").Append(name).Append(' ').Append(group.Key.Description?.Replace("\\", @"\\", StringComparison.Ordinal).ReplaceLineEndings(" ")).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(group.First().Value.Type).Append('\n');
            foreach (var (key, series) in group.OrderBy(series => series.Key.Labels, StringComparer.Ordinal)) series.Write(text, name, key.Labels);
        }

        http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await http.Response.WriteAsync(text.ToString(), http.RequestAborted);
    }

    /// <summary>Dots become underscores, the unit a suffix, and counters end in <c>_total</c>.</summary>
    private static string NameOf(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_').Replace('-', '_');
        var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        if (!name.EndsWith(unit, StringComparison.Ordinal)) name += unit;
        return Series.IsCounter(instrument) && !name.EndsWith("_total", StringComparison.Ordinal) ? name + "_total" : name;
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty) return "";
        var text = new StringBuilder(128);
        foreach (var (name, value) in tags)
        {
            if (text.Length > 0) text.Append(',');
            var shown = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
            text.Append(name.Replace('.', '_')).Append("=\"").Append(shown.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('"');
        }

        return text.ToString();
    }

    private sealed class Series(Instrument instrument)
    {
        private readonly Lock _lock = new();
        private readonly double[] _bounds = BoundsOf(instrument);
        private readonly long[] _counts = new long[BoundsOf(instrument).Length + 1];
        private long _count;
        private double _value;

        public string Type => IsHistogram(instrument) ? "histogram" : IsCounter(instrument) ? "counter" : "gauge";

        public static bool IsCounter(Instrument instrument) => instrument.GetType().Name is "Counter`1" or "ObservableCounter`1";

        public void Record(double value)
        {
            lock (_lock)
            {
                _count++;
                _value = instrument.IsObservable ? value : _value + value;
                if (!IsHistogram(instrument)) return;
                var index = Array.BinarySearch(_bounds, value);
                _counts[index < 0 ? ~index : index]++;
            }
        }

        public void Write(StringBuilder text, string name, string labels)
        {
            lock (_lock)
            {
                if (!IsHistogram(instrument))
                {
                    Line(text, name, labels, _value);
                    return;
                }

                var below = 0L;
                var comma = labels.Length > 0 ? "," : "";
                for (var i = 0; i < _bounds.Length; i++) Line(text, $"{name}_bucket", string.Create(CultureInfo.InvariantCulture, $"{labels}{comma}le=\"{_bounds[i]}\""), below += _counts[i]);
                Line(text, $"{name}_bucket", $"{labels}{comma}le=\"+Inf\"", _count);
                Line(text, $"{name}_sum", labels, _value);
                Line(text, $"{name}_count", labels, _count);
            }
        }

        private static bool IsHistogram(Instrument instrument) => instrument.GetType().Name == "Histogram`1";

        private static double[] BoundsOf(Instrument instrument) => instrument switch
        {
            Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(bound => (double)bound)],
            Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
            _ => IsHistogram(instrument) ? OtherBounds : [],
        };

        private static void Line(StringBuilder text, string name, string labels, double value)
        {
            text.Append(name);
            if (labels.Length > 0) text.Append('{').Append(labels).Append('}');
            text.Append(CultureInfo.InvariantCulture, $" {value}\n");
        }
    }
}
