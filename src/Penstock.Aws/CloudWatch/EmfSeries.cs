using System.Buffers;
using System.Text.Json;

namespace Penstock.Aws.CloudWatch;

/// <summary>What was measured of one model at one provider since the last line. Counts are sums; times are single values, of which CloudWatch makes percentiles.</summary>
internal sealed class EmfSeries(string provider, string model)
{
    /// <summary>Values that EMF takes for one metric of a line.</summary>
    public const int MostValues = 100;

    private static readonly (string Name, string Unit)[] Names =
        [("Requests", "Count"), ("Errors", "Count"), ("Throttles", "Count"), ("InputTokens", "Count"), ("OutputTokens", "Count"), ("CostUsd", "None")];

    private readonly Lock _gate = new();
    private readonly double[] _sums = new double[6];
    private readonly List<double> _durations = [];
    private readonly List<double> _firstTokens = [];
    private bool _any;

    public void Tokens(bool input, double count) => Add(input ? 3 : 4, count);

    public void Cost(double usd) => Add(5, usd);

    /// <summary>A line, where one is full.</summary>
    public byte[]? Duration(double seconds, string? error, TimeProvider time)
    {
        lock (_gate)
        {
            _any = true;
            _sums[0]++;
            if (error is not null and not "client_gone") _sums[1]++;
            if (error == "provider_rate_limited") _sums[2]++;
            _durations.Add(seconds * 1000);
            return _durations.Count == MostValues ? TakeLine(time.GetUtcNow()) : null;
        }
    }

    /// <summary>A line, where one is full.</summary>
    public byte[]? FirstToken(double seconds, TimeProvider time)
    {
        lock (_gate)
        {
            _any = true;
            _firstTokens.Add(seconds * 1000);
            return _firstTokens.Count == MostValues ? TakeLine(time.GetUtcNow()) : null;
        }
    }

    /// <summary>Begins anew. Null where nothing was measured.</summary>
    public byte[]? TakeLine(DateTimeOffset now)
    {
        lock (_gate)
        {
            if (!_any) return null;
            var line = new ArrayBufferWriter<byte>(1024);
            using (var json = new Utf8JsonWriter(line)) Write(json, now);
            Array.Clear(_sums);
            _durations.Clear();
            _firstTokens.Clear();
            _any = false;
            line.Write("\n"u8);
            return line.WrittenSpan.ToArray();
        }
    }

    private void Add(int sum, double value)
    {
        lock (_gate)
        {
            _any = true;
            _sums[sum] += value;
        }
    }

    private void Write(Utf8JsonWriter json, DateTimeOffset now)
    {
        json.WriteStartObject();
        json.WriteStartObject("_aws"u8);
        json.WriteNumber("Timestamp"u8, now.ToUnixTimeMilliseconds());
        json.WriteStartArray("CloudWatchMetrics"u8);
        json.WriteStartObject();
        json.WriteString("Namespace"u8, EmfMetrics.Namespace);
        json.WriteStartArray("Dimensions"u8);
        json.WriteStartArray();
        json.WriteStringValue("Provider"u8);
        json.WriteStringValue("Model"u8);
        json.WriteEndArray();
        json.WriteEndArray();
        json.WriteStartArray("Metrics"u8);
        foreach (var (name, unit) in Names) Declare(json, name, unit);
        if (_durations.Count > 0) Declare(json, "Duration", "Milliseconds");
        if (_firstTokens.Count > 0) Declare(json, "TimeToFirstToken", "Milliseconds");
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteString("Provider"u8, provider);
        json.WriteString("Model"u8, model);
        for (var i = 0; i < Names.Length; i++) json.WriteNumber(Names[i].Name, _sums[i]);
        Values(json, "Duration", _durations);
        Values(json, "TimeToFirstToken", _firstTokens);
        json.WriteEndObject();
    }

    private static void Declare(Utf8JsonWriter json, string name, string unit)
    {
        json.WriteStartObject();
        json.WriteString("Name"u8, name);
        json.WriteString("Unit"u8, unit);
        json.WriteEndObject();
    }

    private static void Values(Utf8JsonWriter json, string name, List<double> values)
    {
        if (values.Count == 0) return;
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }
}
