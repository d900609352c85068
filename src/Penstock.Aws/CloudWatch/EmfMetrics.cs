using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;

namespace Penstock.Aws.CloudWatch;

/// <summary>
/// Metrics as lines of the log, in CloudWatch's Embedded Metric Format: requests, errors, throttles, tokens, cost and durations by provider and model, in the
/// namespace <c>Penstock</c>. They are what <c>/metrics</c> shows, with its few labels: no tenant, key or user, and models that no price table knows together
/// as <c>other</c>. A call adds to sums in memory; lines are written apart from calls, every <see cref="Every"/> and at the end.
/// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
/// </summary>
public sealed class EmfMetrics : BackgroundService
{
    public const string Namespace = "Penstock";

    public static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    /// <summary>A name longer than a dimension's value may be is cut.</summary>
    private const int LongestName = 250;

    private const int MostSeries = 500;
    private const string Other = "other";

    private readonly ConcurrentDictionary<(string Provider, string Model), EmfSeries> _series = new();
    private readonly ConcurrentQueue<byte[]> _full = new();
    private readonly MeterListener _listener = new();
    private readonly Action<ReadOnlyMemory<byte>> _write;
    private readonly TimeProvider _time;

    /// <param name="write">Takes one line with its end, and may be called from any thread, one at a time.</param>
    public EmfMetrics(IMeterFactory meters, TimeProvider time, Action<ReadOnlyMemory<byte>> write)
    {
        (_time, _write) = (time, write);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // A listener hears the whole process; what another host in it made is not ours.
            if (instrument.Meter.Name != "Penstock" || (instrument.Meter.Scope is not null && instrument.Meter.Scope != meters)) return;
            if (instrument.Name is "gen_ai.client.token.usage" or "gen_ai.client.operation.duration" or "gen_ai.server.time_to_first_token" or "penstock.cost") listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument.Name, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument.Name, value, tags));
        _listener.Start();
    }

    /// <summary>Writes what was measured since the last time. A host that is frozen between calls asks for it after each.</summary>
    public void Flush()
    {
        while (_full.TryDequeue(out var line)) _write(line);
        foreach (var series in _series.Values)
        {
            if (series.TakeLine(_time.GetUtcNow()) is { } line) _write(line);
        }
    }

    public override void Dispose()
    {
        _listener.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Flush();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            Flush();
        }
    }

    private void Record(string instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string? provider = null, model = null, type = null, error = null;
        foreach (var (name, tag) in tags)
        {
            if (name == "gen_ai.provider.name") provider = tag as string;
            else if (name == "gen_ai.request.model") model = tag as string;
            else if (name == "gen_ai.token.type") type = tag as string;
            else if (name == "error.type") error = tag as string;
        }

        var series = Of(provider ?? Other, model ?? Other);
        if (instrument == "gen_ai.client.token.usage") series.Tokens(type == "input", value);
        else if (instrument == "penstock.cost") series.Cost(value);
        else if ((instrument == "gen_ai.client.operation.duration" ? series.Duration(value, error, _time) : series.FirstToken(value, _time)) is { } full) _full.Enqueue(full);
    }

    private EmfSeries Of(string provider, string model)
    {
        if (_series.TryGetValue((provider, model), out var there)) return there;
        // A dimension must have a value, and each new pair is a metric that CloudWatch charges for.
        var key = _series.Count >= MostSeries ? (Other, Other) : (Cut(provider), Cut(model));
        return _series.GetOrAdd(key, static key => new EmfSeries(key.Item1, key.Item2));
    }

    private static string Cut(string name) => name.Length == 0 ? Other : name.Length > LongestName ? name[..LongestName] : name;
}
