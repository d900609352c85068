using Penstock.Gateway;
using Penstock.Gateway.Guarding;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>Asks a run's model: an intent, the call, its answer. Whatever comes between, the journal says how far it came.</summary>
internal sealed class ModelStep(IRunStore store, ChatPipeline pipeline, RunRequests requests, ToolBox tools, RunSignals signals, TimeProvider time)
{
    private const int Tries = 4;

    /// <summary>Calls of one answer; more are not heard, so that the answer fits into the journal.</summary>
    private const int MostCalls = 1_000;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <returns>Why the run cannot go on; null where it was answered, or was broken off.</returns>
    public async Task<Refusal?> RunAsync(OwnedRun run, CancellationToken ct)
    {
        var state = run.State;
        if (state.Model is { Failed: false } lost) await run.Journal.AppendAsync([Drafts.ModelLost(lost.Op, lost.Attempt)]);
        var cut = RunPrompt.CutAt(state);
        var op = state.Model?.Op ?? state.NextSeq;
        var before = state.Model?.Attempt ?? 0;
        Refusal? last = null;
        for (var attempt = before + 1; attempt <= before + Tries && !ct.IsCancellationRequested; attempt++)
        {
            if (last is not null) await PauseAsync(last, attempt - before, ct);
            var model = ModelOf(state.Definition, attempt - before);
            await run.Lease.EnsureAsync();
            var intent = state.NextSeq;
            await run.Journal.AppendAsync([Drafts.ModelIntent(op, attempt, model, cut is not null)]);
            // The write may have taken long.
            await run.Lease.EnsureAsync();
            try
            {
                var answer = await AskAsync(run, op, intent, CallOf(run, model, cut), ct);
                await run.Journal.AppendAsync([cut is { } to ? Drafts.Summary(op, to, answer) : Drafts.ModelResult(op, answer)], Progress(run, cut is null));
                return null;
            }
            catch (RefusedException e) when (!run.Lease.Lost.IsCancellationRequested)
            {
                last = e.Refusal;
                var again = last.Retryable && attempt < before + Tries;
                await run.Journal.AppendAsync([Drafts.ModelFailed(op, attempt, last, again)]);
                if (!again) return last;
            }
        }

        return null;
    }

    private static RunChange Progress(OwnedRun run, bool step) => new() { Status = RunStatus.Running, WakeAt = run.Record.WakeAt, Steps = run.State.Steps + (step ? 1 : 0), ClearCrashes = true };

    /// <summary>The definition's model, and where it failed the fallbacks in turn.</summary>
    private static string ModelOf(AgentDefinition agent, int attempt) => attempt == 1 || agent.Fallbacks.Count == 0 ? agent.Model : agent.Fallbacks[(attempt - 2) % agent.Fallbacks.Count];

    private ChatCall CallOf(OwnedRun run, string model, long? cut)
    {
        if (cut is { } to) return RunPrompt.Summary(run.Record, run.State, model, to);
        var offered = new Toolset(run.State.Definition, run.State.Chosen, run.Caller, tools, run.Depth < run.State.Definition.Limits.Depth);
        return RunPrompt.Next(run.Record, run.State, model, offered);
    }

    private async Task<ModelAnswer> AskAsync(OwnedRun run, long op, long intent, ChatCall call, CancellationToken ct)
    {
        var chunks = new RunChunks(store, run.Record, intent, op, signals, time);
        var (http, passage) = requests.Open(run.Record, run.Caller, ct);
        await using var leaving = passage;
        await passage.EnterAsync(ct);
        ModelAnswer? answer = null;
        // What guard rules may change is shown whole: a piece of it might be what they are there to hide.
        var asked = RequestGuard.Of(http) is { AnswersAs: not null }
            ? pipeline.AskAsync(http, passage, call with { Stream = false }, null, Keep)
            : pipeline.WatchAsync(http, passage, call, chunks.Watch, Keep);
        try
        {
            await chunks.WriteUntilAsync(asked);
        }
        finally
        {
            // Whatever became of the chunks, the call is booked when this returns.
            await asked;
        }

        return answer!;

        Task Keep(AnswerFold fold, Receipt receipt, Target target)
        {
            answer = AnswerOf(op, fold, receipt, target.Model, target.Provider.Name);
            return Task.CompletedTask;
        }
    }

    private static ModelAnswer AnswerOf(long op, AnswerFold fold, Receipt receipt, string model, string provider)
    {
        var first = fold.First;
        return new ModelAnswer(
            first.Refusal is { } declined ? $"{first.Text}{declined}" : first.Text,
            [.. first.ToolCalls.Take(MostCalls).Select((call, index) => call with { Id = FormattableString.Invariant($"call_{op}_{index}"), Name = RunNames.OfCall(call.Name) })],
            [.. first.Parts.Where(part => part is ThinkingPart or RedactedThinkingPart)],
            (first.Reason ?? FinishReason.Stop).ToString().ToLowerInvariant(),
            model,
            provider,
            receipt);
    }

    private async Task PauseAsync(Refusal refusal, int attempt, CancellationToken ct)
    {
        // A limit that lets the next one pass in no time at all lets the others pass first: who only waits that long fails again and again.
        var least = TimeSpan.FromMilliseconds(200 << attempt);
        var pause = refusal.RetryAfter is { } asked && asked > least ? asked : least;
        await Task.Delay(pause < LongestPause ? pause : LongestPause, time, ct);
    }
}
