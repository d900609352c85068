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

    private readonly ConcurrentBag<InstrumentSeries> _instruments = [];
    private readonly MeterListener _listener = new();
    private int _count;

    public MetricsText(IMeterFactory meters)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // A listener hears the whole process; what another host in it made is not ours.
            if (!Meters.Contains(instrument.Meter.Name) || (instrument.Meter.Scope is not null && instrument.Meter.Scope != meters)) return;
            var series = new InstrumentSeries(instrument);
            _instruments.Add(series);
            listener.EnableMeasurementEvents(instrument, series);
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, series) => Record(series, value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, series) => Record(series, value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, series) => Record(series, value, tags));
        _listener.Start();
    }

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("/metrics", (RequestDelegate)WriteAsync);

    public void Dispose() => _listener.Dispose();

    private void Record(object? state, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var instrument = (InstrumentSeries)state!;
        if (instrument.Find(tags) is not { } series)
        {
            if (Volatile.Read(ref _count) >= MostSeries) return;
            series = instrument.Add(tags, Labels(tags), ref _count);
        }

        series.Record(value);
    }

    private async Task WriteAsync(HttpContext http)
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder(16 * 1024);
        foreach (var group in _instruments.Where(each => !each.IsEmpty).OrderBy(each => each.Instrument.Name, StringComparer.Ordinal))
        {
            var name = NameOf(group.Instrument);
            text.Append("# HELP ").Append(name).Append(' ').Append(group.Instrument.Description?.Replace("\\", @"\\", StringComparison.Ordinal).ReplaceLineEndings(" ")).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(Series.TypeOf(group.Instrument)).Append('\n');
            foreach (var series in group.All.OrderBy(series => series.Labels, StringComparer.Ordinal)) series.Write(text, name, series.Labels);
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

    /// <summary>The series of one instrument, found by a measurement's tags without making a text of them.</summary>
    private sealed class InstrumentSeries(Instrument instrument) : IAlternateEqualityComparer<ReadOnlySpan<KeyValuePair<string, object?>>, KeyValuePair<string, object?>[]>, IEqualityComparer<KeyValuePair<string, object?>[]>
    {
        private ConcurrentDictionary<KeyValuePair<string, object?>[], Series>? _series;

        public Instrument Instrument => instrument;

        public bool IsEmpty => Map.IsEmpty;

        public IEnumerable<Series> All => Map.Values;

        private ConcurrentDictionary<KeyValuePair<string, object?>[], Series> Map => _series ?? Interlocked.CompareExchange(ref _series, new(this), null) ?? _series;

        public Series? Find(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            Map.GetAlternateLookup<ReadOnlySpan<KeyValuePair<string, object?>>>().TryGetValue(tags, out var series) ? series : null;

        public Series Add(ReadOnlySpan<KeyValuePair<string, object?>> tags, string labels, ref int count)
        {
            var made = new Series(instrument, labels);
            var there = Map.GetOrAdd(tags.ToArray(), made);
            if (there == made) Interlocked.Increment(ref count);
            return there;
        }

        public bool Equals(ReadOnlySpan<KeyValuePair<string, object?>> alternate, KeyValuePair<string, object?>[] other)
        {
            if (alternate.Length != other.Length) return false;
            for (var i = 0; i < other.Length; i++)
            {
                if (alternate[i].Key != other[i].Key || !Equals(alternate[i].Value, other[i].Value)) return false;
            }

            return true;
        }

        public int GetHashCode(ReadOnlySpan<KeyValuePair<string, object?>> alternate)
        {
            var hash = default(HashCode);
            foreach (var (_, value) in alternate) hash.Add(value);
            return hash.ToHashCode();
        }

        public KeyValuePair<string, object?>[] Create(ReadOnlySpan<KeyValuePair<string, object?>> alternate) => alternate.ToArray();

        public bool Equals(KeyValuePair<string, object?>[]? x, KeyValuePair<string, object?>[]? y) => x is null ? y is null : y is not null && Equals(x.AsSpan(), y);

        public int GetHashCode(KeyValuePair<string, object?>[] obj) => GetHashCode(obj.AsSpan());
    }

    private sealed class Series(Instrument instrument, string labels)
    {
        private readonly Lock _lock = new();
        private readonly double[] _bounds = BoundsOf(instrument);
        private readonly long[] _counts = new long[BoundsOf(instrument).Length + 1];
        private long _count;
        private double _value;

        private readonly bool _isHistogram = IsHistogram(instrument);

        public string Labels { get; } = labels;

        public static string TypeOf(Instrument instrument) => IsHistogram(instrument) ? "histogram" : IsCounter(instrument) ? "counter" : "gauge";

        public static bool IsCounter(Instrument instrument) => instrument.GetType().Name is "Counter`1" or "ObservableCounter`1";

        public void Record(double value)
        {
            lock (_lock)
            {
                _count++;
                _value = instrument.IsObservable ? value : _value + value;
                if (!_isHistogram) return;
                var index = Array.BinarySearch(_bounds, value);
                _counts[index < 0 ? ~index : index]++;
            }
        }

        public void Write(StringBuilder text, string name, string labels)
        {
            lock (_lock)
            {
                if (!_isHistogram)
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
