using Microsoft.Extensions.Logging;
using Penstock.Budgets;
using Penstock.Gateway.Routing;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>Opens attempts, and books them: in the ledger, in the log and in the metrics.</summary>
internal sealed partial class Attempts(Holds holds, ITokenCounter tokens, IdSource ids, TimeProvider time, GatewayMetrics metrics, ILogger<Attempts> log)
{
    /// <summary>Booking outlives the caller's token; it must not hang either.</summary>
    private static readonly TimeSpan BookingTime = TimeSpan.FromSeconds(30);

    public ITokenCounter Tokens { get; } = tokens;

    public Holds Holds { get; } = holds;

    public AttemptId NextId() => ids.NextAttempt();

    /// <param name="decision">Why this target, where it is not plainly what was asked for.</param>
    public Attempt Start(CallOrigin origin, Target target, string? decision = null) => new(NextId(), origin, target, this, time)
    {
        Decision = (origin.Choice?.Reason, decision) switch
        {
            (null, _) => decision,
            ({ } reason, null) => reason,
            ({ } reason, _) => $"{reason}; {decision}",
        },
    };

    /// <summary>The attempt at a step of a walk; the first of all is the one the journey began with.</summary>
    public Attempt At(Journey journey, Step step)
    {
        if (journey.Attempt is var begun && (begun.Entered is not null || begun.Target != step.Target)) journey.GoOn(Start(journey.Origin, step.Target, step.Decision));
        journey.Attempt.Entered = step.Call;
        return journey.Attempt;
    }

    /// <summary>Durable when it returns. A row that could not be stored is in the log all the same.</summary>
    /// <param name="priced">Whether the price table knows the model, so that it may be a metric's label.</param>
    public Task BookAsync(LedgerRow row, bool priced, TimeSpan elapsed, TimeSpan? firstToken) => BookAsync(row, () => metrics.Record(row, priced, elapsed, firstToken));

    /// <summary>As <see cref="BookAsync(LedgerRow, bool, TimeSpan, TimeSpan?)"/>, for an answer that no provider gave: it is no measurement of one.</summary>
    public Task BookSharedAsync(LedgerRow row) => BookAsync(row, () => metrics.RecordShared(row));

    private async Task BookAsync(LedgerRow row, Action record)
    {
        using var timeout = new CancellationTokenSource(BookingTime, time);
        try
        {
            await Holds.SettleAsync(row, timeout.Token);
        }
        finally
        {
            Log(row);
            record();
        }
    }

    private void Log(LedgerRow row)
    {
        if (!log.IsEnabled(LogLevel.Information)) return;
        var outcome = OutcomeNames.Of(row.Outcome);
        LogAttempt(row.Attempt, row.Request, row.Route, row.Provider, row.Model, outcome, row.Tokens.TotalInput, row.Tokens.CacheRead, row.Tokens.TotalOutput,
            row.Tokens.Reasoning, row.Estimated, row.Cost.Usd, row.LatencyMs, row.FirstTokenMs, row.Key, row.Conversation, row.Error);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "attempt {AttemptId} request {RequestId} {Route} {Provider} {Model} {Outcome} input {InputTokens} cached {CachedTokens} output {OutputTokens} reasoning {ReasoningTokens} estimated {Estimated} cost {CostUsd} USD latency {LatencyMs} ms first token {FirstTokenMs} ms key {KeyId} conversation {ConversationId} error {Error}")]
    private partial void LogAttempt(AttemptId attemptId, RequestId requestId, string route, string provider, string model, string outcome, long inputTokens, long cachedTokens, long outputTokens,
        long reasoningTokens, bool estimated, decimal costUsd, int latencyMs, int? firstTokenMs, KeyId keyId, string? conversationId, string? error);
}
