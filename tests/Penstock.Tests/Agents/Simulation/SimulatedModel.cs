using System.Globalization;
using System.Runtime.CompilerServices;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Penstock.Usage;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>A model that follows a seed: it calls tools for some steps and then answers, is slow, fails, and takes no history that a vendor would refuse.</summary>
internal sealed class SimulatedModel(SimulatedWorld world, TimeProvider time, bool children)
{
    public async IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, [EnumeratorCancellation] CancellationToken ct)
    {
        var messages = call.Call.Messages;
        var summarises = messages[0].Parts[0] is TextPart { Text: var system } && system.StartsWith("Summarise", StringComparison.Ordinal);
        if (summarises)
        {
            yield return Frames.Text("What was done.");
            yield return Frames.End(TokenCounts.Of(100, 5));
            yield break;
        }

        var run = world.RunOf(((TextPart)messages[1].Parts[0]).Text);
        if (Unfit(messages) is { } unfit) world.Wrong($"{run}: {unfit}");
        var before = world.BeginModel(run);
        var chance = world.Of($"model {run.Value} {before}");
        var step = messages.Count(message => message.Role == ChatRole.Assistant);
        await WorkAsync(chance.Below(3_000), ct);
        if (chance.OneIn(12)) throw new ProviderException(ProviderFault.Limited, "Too many.", 429, retryAfter: TimeSpan.FromSeconds(chance.Below(4)));
        if (chance.OneIn(20)) throw new ProviderException(ProviderFault.Broken, "Broken.", 500);
        yield return Frames.Text("I ");
        await WorkAsync(chance.Below(1_000), ct);
        if (chance.OneIn(40)) throw new ProviderException(ProviderFault.CutShort, "Cut short.");
        var updates = CallsOf(run, step);
        yield return updates.Count > 0 ? new ProviderFrame(null, default, updates) : Frames.Text("am done.");
        yield return Frames.End(TokenCounts.Of(100 + (step * 50), 20));
    }

    private async Task WorkAsync(int milliseconds, CancellationToken ct)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), time, ct);
        world.Misfortune.Strike(Place.Current, inCall: true);
        await Task.Yield();
    }

    private List<ChatUpdate> CallsOf(RunId run, int step)
    {
        var chance = world.Of($"calls {run.Value} {step}");
        var updates = new List<ChatUpdate>();
        if (step >= 1 + world.Of($"steps {run.Value}").Below(5)) return updates;
        for (var index = 0; index < 1 + chance.Below(3); index++)
        {
            var name = chance.Pick("sim_pure", "sim_keyed", "sim_once", "sim_asked", "sim_once", children ? "run_agent" : "sim_keyed", chance.OneIn(4) ? "wait" : "sim_pure", chance.OneIn(6) ? "sim_none" : "sim_once", chance.OneIn(4) ? "escalate" : "sim_asked");
            var id = string.Create(CultureInfo.InvariantCulture, $"{run.Value} {step}.{index}");
            updates.Add(new ToolCallStarted(0, index, $"vendor-{index}", name));
            updates.Add(new ToolCallDelta(0, index, name switch
            {
                "wait" => string.Create(CultureInfo.InvariantCulture, $"{{\"seconds\":{chance.Pick(1, 5, 60)}}}"),
                "escalate" => "{\"question\":\"How?\"}",
                "run_agent" => $$"""{"agent":"sim-child","input":"{{id}}"}""",
                _ => chance.OneIn(30) ? "{\"id\":7}" : $$"""{"run":"{{run.Value}}","id":"{{id}}"}""",
            }));
        }

        return updates;
    }

    /// <summary>Why a vendor would refuse it.</summary>
    private static string? Unfit(IReadOnlyList<ChatMessage> messages)
    {
        var open = new Queue<string>();
        foreach (var message in messages)
        {
            if (message.Role == ChatRole.Tool)
            {
                foreach (var result in message.Parts.Cast<ToolResultPart>())
                    if (!open.TryDequeue(out var next) || next != result.CallId) return $"the outcome of {result.CallId} stands where that of {next ?? "none"} must";
                continue;
            }

            if (open.Count > 0) return $"call {open.Peek()} has no outcome";
            foreach (var call in message.Parts.OfType<ToolCallPart>()) open.Enqueue(call.Id);
        }

        return open.Count > 0 ? $"call {open.Peek()} has no outcome" : null;
    }
}
