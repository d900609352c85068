using System.Security.Cryptography;
using System.Text;
using Penstock.Gateway.Guarding;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>One call of a tool in a run: intent, call, outcome, and again where the tool allows that.</summary>
internal sealed class ToolCalls(RunRequests requests, ToolRunner runner, RunMemory memory, ToolOutcomes outcomes, TimeProvider time)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    public async Task RunAsync(OwnedRun run, ToolTurn call, OfferedTool tool, CancellationToken ct)
    {
        for (var tries = 0; call.Phase != ToolPhase.Done && call.Phase != ToolPhase.AwaitsOutcome; tries++)
        {
            ct.ThrowIfCancellationRequested();
            var started = time.GetTimestamp();
            try
            {
                var (output, cost) = await CallAsync(run, call, tool, ct);
                await run.Journal.AppendAsync([Drafts.ToolResult(call, output, cost, time.GetElapsedTime(started))], Progress(run));
            }
            catch (RefusedException e)
            {
                await FailAsync(run, call, tool, e.Refusal, tries, ct);
            }
        }
    }

    /// <summary>Journaled when the call has its place: one that still waits for it when its worker dies was surely not made.</summary>
    private static async Task BeginAsync(OwnedRun run, ToolTurn call, OfferedTool tool)
    {
        await run.Lease.EnsureAsync();
        await run.Journal.AppendAsync([Drafts.ToolIntent(call, tool.Effect, KeyOf(run.Record, call))]);
        // The write may have taken long, and nobody whose lease is over may act.
        await run.Lease.EnsureAsync();
    }

    /// <summary>The same for every attempt of a call, by whichever worker.</summary>
    public static string KeyOf(RunRecord run, ToolTurn call) =>
        "call_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{run.Tenant}\n{run.Id}\n{call.Id}")).AsSpan(0, 16));

    private async Task<(string Output, Money Cost)> CallAsync(OwnedRun run, ToolTurn call, OfferedTool tool, CancellationToken ct)
    {
        var arguments = ToolArguments.TryParse(call.Arguments)!.Value;
        if (tool.OfMachine)
        {
            await BeginAsync(run, call, tool);
            return (await memory.CallAsync(run, tool.Spec.Name, arguments, KeyOf(run.Record, call), ct), Money.Zero);
        }

        if (tool.IsSearch && arguments.Optional("texts") is null && run.State.Documents.Count > 0) arguments = ToolArguments.WithTexts(arguments, run.State.Documents);
        var (http, passage) = requests.Open(run.Record, run.Caller, ct);
        await using var leaving = passage;
        var sent = new ToolCall { Http = http, Passage = passage, Arguments = arguments, IdempotencyKey = KeyOf(run.Record, call), OfRun = true, Timeout = tool.Settings.Timeout, Begin = () => BeginAsync(run, call, tool) };
        var answer = await runner.RunAsync(tool.Spec.Name, sent, RunRequests.Route, ct);
        var output = answer.Output.GetRawText();
        // It becomes a part of prompts: what holds for those holds for it.
        return (RequestGuard.Of(http)?.Prompt(output, http.Response.Headers) ?? output, answer.Cost);
    }

    private async Task FailAsync(OwnedRun run, ToolTurn call, OfferedTool tool, Refusal refusal, int tries, CancellationToken ct)
    {
        // It surely did nothing where it could not be reached or refused; else a call with an effect may have had it.
        var mayHaveActed = refusal.Kind is RefusalKind.ProviderFailed or RefusalKind.ProviderTimedOut or RefusalKind.Broken;
        if (mayHaveActed && tool.Effect == ToolEffect.Once)
        {
            await run.Journal.AppendAsync(await outcomes.AskAsync(run, call, tool, ct));
            if (call.Phase != ToolPhase.Cleared) return;
            // The tool says that nothing was done: it may be called again as one that does nothing twice.
        }

        var again = (refusal.Retryable || mayHaveActed) && tries < tool.Settings.Retries;
        await run.Journal.AppendAsync([Drafts.ToolFailed(call, refusal.Code, refusal.Message, again)]);
        if (!again) return;
        var pause = refusal.RetryAfter ?? TimeSpan.FromMilliseconds(200 << tries);
        await Task.Delay(pause < LongestPause ? pause : LongestPause, time, ct);
    }

    private static RunChange Progress(OwnedRun run) => new() { Status = RunStatus.Running, WakeAt = run.Record.WakeAt, Steps = run.State.Steps, ClearCrashes = true };
}
