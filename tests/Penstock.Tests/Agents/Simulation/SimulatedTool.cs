using System.Text.Json;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>A tool whose effects are counted. It is slow, cannot be reached, fails before or behind its effect, as a seed says.</summary>
internal sealed class SimulatedTool(SimulatedWorld world, TimeProvider time, string name, ToolEffect effect) : ITool
{
    private static readonly JsonSchema Arguments = JsonSchema.Parse("""{"type":"object","properties":{"run":{"type":"string"},"id":{"type":"string"}},"required":["run","id"]}""");

    public ToolSpec Spec { get; } = new() { Name = name, Description = "Of a simulation.", Input = Arguments, Effect = effect, Timeout = TimeSpan.FromSeconds(30) };

    public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
    {
        var (run, id) = (new RunId(call.Arguments.Required("run").Text()), call.Arguments.Required("id").Text());
        var before = world.BeginTool(run, id, call.IdempotencyKey);
        var chance = world.Of($"tool {id} {before}");
        if (chance.OneIn(12)) throw ToolRefusals.NotThere(Spec, "nobody is there");
        await WorkAsync(chance.Below(2_000), ct);
        if (chance.OneIn(20)) throw ToolRefusals.Failed(Spec, "it was broken from the start");
        world.Act(call.IdempotencyKey, effect == ToolEffect.Once);
        await WorkAsync(chance.OneIn(40) ? 60_000 : chance.Below(2_000), ct);
        if (chance.OneIn(20)) throw ToolRefusals.Failed(Spec, "it broke behind its effect");
        return new ToolResult(JsonDocument.Parse("{\"ok\":true}").RootElement);
    }

    private async Task WorkAsync(int milliseconds, CancellationToken ct)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), time, ct);
        world.Misfortune.Strike(Place.Current, inCall: true);
        await Task.Yield();
    }
}
