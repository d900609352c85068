using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using Penstock.Guards;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>OpenTelemetry's GenAI histograms. Never a user, key or conversation as a label.</summary>
internal sealed class GatewayMetrics
{
    public const string MeterName = "Penstock";

    /// <summary>Our own codes of a failed attempt. A provider's code is in the ledger; as a label it would be without bounds.</summary>
    private static readonly FrozenSet<string> ErrorTypes = FrozenSet.Create(
        "body_too_large", "client_gone", "internal_error", "model_not_found", "provider_cut_short", "provider_failed", "provider_overloaded", "provider_quota_spent",
        "provider_rate_limited", "provider_rejected", "provider_timed_out", "provider_unauthorized", "provider_unreachable", "shutting_down");

    private static readonly string[] ActionNames = ["off", "flag", "mask", "block"];

    private readonly Histogram<long> _tokens;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _firstToken;
    private readonly Counter<double> _cost;
    private readonly Counter<long> _cache;
    private readonly Counter<double> _saved;
    private readonly Counter<long> _guards;

    public GatewayMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _tokens = meter.CreateHistogram("gen_ai.client.token.usage", "{token}", "Tokens of a call, by type.", advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576] });
        _duration = meter.CreateHistogram("gen_ai.client.operation.duration", "s", "Duration of a call to a provider.", advice: Seconds());
        _firstToken = meter.CreateHistogram("gen_ai.server.time_to_first_token", "s", "Time to the first content.", advice: Seconds());
        _cost = meter.CreateCounter<double>("penstock.cost", "{USD}", "What calls cost, booked in the ledger.");
        _cache = meter.CreateCounter<long>("penstock.cache.requests", "{request}", "Requests that asked for the cache, by what came of it.");
        _saved = meter.CreateCounter<double>("penstock.cache.saved", "{USD}", "What answers from the cache would have cost.");
        _guards = meter.CreateCounter<long>("penstock.guard.matches", "{match}", "Matches of guard rules, by rule, action and direction.");
    }

    /// <param name="priced">Whether the price table knows the model; any other is named <c>other</c>, so that a client cannot make labels without end.</param>
    public void Record(LedgerRow row, bool priced, TimeSpan elapsed, TimeSpan? firstToken)
    {
        var model = priced ? row.Model : "other";
        var provider = new KeyValuePair<string, object?>("gen_ai.provider.name", row.Provider);
        var operation = new KeyValuePair<string, object?>("gen_ai.operation.name", row.Operation);
        var named = new KeyValuePair<string, object?>("gen_ai.request.model", model);
        _tokens.Record(row.Tokens.TotalInput, operation, provider, named, new("gen_ai.token.type", "input"));
        _tokens.Record(row.Tokens.TotalOutput, operation, provider, named, new("gen_ai.token.type", "output"));
        if (row.Error is null) _duration.Record(elapsed.TotalSeconds, operation, provider, named);
        else _duration.Record(elapsed.TotalSeconds, operation, provider, named, new("error.type", ErrorTypes.Contains(row.Error) ? row.Error : "_OTHER"));
        if (firstToken is { } first) _firstToken.Record(first.TotalSeconds, operation, provider, named);
        _cost.Add((double)row.Cost.Usd, operation, provider, named);
    }

    /// <param name="result"><c>hit</c>, <c>miss</c>, <c>shared</c> or <c>bypass</c>.</param>
    public void RecordCache(string result) => _cache.Add(1, new KeyValuePair<string, object?>("result", result));

    /// <param name="direction"><c>in</c> for a prompt, <c>out</c> for an answer.</param>
    public void RecordGuard(GuardRule rule, string direction) =>
        _guards.Add(1, new KeyValuePair<string, object?>("rule", rule.Label), new("action", ActionNames[(int)rule.Action]), new("direction", direction));

    /// <summary>Only what it saved: a histogram of providers' work counts no answer twice.</summary>
    public void RecordShared(LedgerRow row) => _saved.Add((double)row.Avoided.Usd);

    private static InstrumentAdvice<double> Seconds() => new() { HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92] };
}
