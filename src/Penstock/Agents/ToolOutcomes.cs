using Microsoft.Extensions.Logging;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>
/// What became of a call of effect <c>once</c> that may or may not have happened: the tool itself is asked where it can say, and a person where it cannot, does
/// not know, or does not answer. It is never called again blindly.
/// </summary>
internal sealed partial class ToolOutcomes(ToolBox box, RunRequests requests, TimeProvider time, ILogger<ToolOutcomes> log)
{
    private const int Tries = 3;
    private static readonly TimeSpan OutcomeTime = TimeSpan.FromDays(3);

    /// <param name="tool">Null where there is none of the name any more.</param>
    /// <returns>What is to be journaled.</returns>
    public async Task<IReadOnlyList<Draft>> AskAsync(OwnedRun run, ToolTurn call, OfferedTool? tool, CancellationToken ct)
    {
        var expires = time.GetUtcNow() + OutcomeTime;
        if (tool is not { OfMachine: false } || box.For(run.Caller).FirstOrDefault(found => found.Spec.Name == tool.Spec.Name) is not IReconciledTool { Reconciles: true } reconciled) return [Drafts.ToolUnknown(call, expires)];
        var (word, why) = await AskAsync(run, call, reconciled, ct);
        return word is { Happened: { } happened }
            ? [Drafts.ToolUnknown(call, expires), Drafts.Reconciled(call, happened, word.Output)]
            : [Drafts.ToolUnknown(call, expires, why)];
    }

    /// <summary>Asking changes nothing, and a tool that was lost with its server may be coming back.</summary>
    private async Task<(ToolWord? Word, string Why)> AskAsync(OwnedRun run, ToolTurn call, IReconciledTool tool, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var (http, passage) = requests.Open(run.Record, run.Caller, ct);
                await using var leaving = passage;
                using var limit = new CancellationTokenSource(tool.Spec.Timeout, time);
                using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
                var arguments = ToolArguments.TryParse(call.Arguments)!.Value;
                return (await tool.ReconcileAsync(new ToolCall { Http = http, Passage = passage, Arguments = arguments, IdempotencyKey = ToolCalls.KeyOf(run.Record, call) }, both.Token), "unknown");
            }
            catch (Exception e) when (e is RefusedException or OperationCanceledException && !ct.IsCancellationRequested)
            {
                LogUnanswered(run.Record.Id, call.Name, attempt, e.Message);
                if (attempt == Tries) return (null, (e as RefusedException)?.Refusal.Code ?? "tool_timed_out");
                await Task.Delay(TimeSpan.FromMilliseconds(500 << attempt), time, ct);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "run {Run}: tool {Tool} did not say at try {Attempt} whether a call happened: {Why}")]
    private partial void LogUnanswered(RunId run, string tool, int attempt, string why);
}
