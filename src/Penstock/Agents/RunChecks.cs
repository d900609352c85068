using System.Text.Json;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Selecting;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>Whether a run may be started as it is asked for: every refusal names the field, and what would do.</summary>
internal sealed class RunChecks(AgentCatalog agents, ToolBox tools, Router router, SelectionSection selection)
{
    public RunOrder Check(Caller caller, RunRequest request)
    {
        var agent = agents.Find(request.Type);
        if (agent.Input is { } schema && schema.Check(request.Input.Element) is { } problem)
            throw new RefusedException(Refusal.Invalid("input" + problem.Pointer.Replace('/', '.'), $"'input' does not fit agent '{agent.Name}': {problem}. Its schema: {schema}"));
        return new RunOrder(agent, request)
        {
            Documents = RunDocuments.Read(request.Input),
            Tools = request.Tools?.Select(tool => Tool(caller, agent, tool)).Distinct().ToList(),
            Model = request.Model is { } model ? Model(caller, model) : null,
            Limits = request.Limits is { } limits ? RunLimits.Lower(agent.Limits, limits) : agent.Limits,
        };
    }

    private string Tool(Caller caller, AgentDefinition agent, JsonView name)
    {
        var found = tools.Find(caller, name.ShortText(RunNames.Longest)).Spec.Name;
        return agent.Tools.Any(tool => NamePattern.Fits(tool.Name, found))
            ? found
            : throw name.Bad($"is no tool of agent '{agent.Name}', which has {(agent.Tools.Count == 0 ? "none" : string.Join(", ", agent.Tools.Select(tool => tool.Name)))}");
    }

    /// <summary>Throws where the name leads nowhere, or the key may not use it.</summary>
    private string Model(Caller caller, JsonView model)
    {
        var name = model.ShortText(RunNames.Longest);
        // What leaves the choice to us is a plan only once there is a prompt.
        if (!selection.Current.Names.Contains(name)) router.Plan(name, Router.Chat, caller);
        return name;
    }
}

/// <summary>A run as it will be.</summary>
internal sealed record RunOrder(AgentDefinition Agent, RunRequest Request)
{
    /// <summary>Bodies of the entries.</summary>
    public required IReadOnlyList<string> Documents { get; init; }

    public required IReadOnlyList<string>? Tools { get; init; }

    public required string? Model { get; init; }

    public required AgentLimits Limits { get; init; }
}

/// <summary>Limits of one run: what its client sets is at most the definition's.</summary>
internal static class RunLimits
{
    public static AgentLimits Lower(AgentLimits most, JsonView given)
    {
        given.AllowOnly("usd", "steps", "wallSeconds", "parallelTools", "toolCalls", "children", "depth", "outputTokens");
        return most with
        {
            Usd = given.Optional("usd") is { } usd ? Money.FromUsd(usd.Decimal(0, most.Usd.Usd)) : most.Usd,
            Steps = given.Optional("steps")?.Whole(1, most.Steps) ?? most.Steps,
            Wall = given.Optional("wallSeconds") is { } wall ? TimeSpan.FromSeconds(wall.Number(1, most.Wall.TotalSeconds)) : most.Wall,
            ParallelTools = given.Optional("parallelTools")?.Whole(1, most.ParallelTools) ?? most.ParallelTools,
            ToolCalls = given.Optional("toolCalls")?.Whole(0, most.ToolCalls) ?? most.ToolCalls,
            Children = given.Optional("children")?.Whole(0, most.Children) ?? most.Children,
            Depth = given.Optional("depth")?.Whole(0, most.Depth) ?? most.Depth,
            OutputTokens = given.Optional("outputTokens")?.Whole(1, most.OutputTokens ?? int.MaxValue) ?? most.OutputTokens,
        };
    }

    public static void Write(Utf8JsonWriter json, AgentLimits limits)
    {
        json.WriteStartObject("limits");
        json.WriteNumber("usd", limits.Usd.Usd);
        json.WriteNumber("steps", limits.Steps);
        json.WriteNumber("wallSeconds", limits.Wall.TotalSeconds);
        json.WriteNumber("parallelTools", limits.ParallelTools);
        json.WriteNumber("toolCalls", limits.ToolCalls);
        json.WriteNumber("children", limits.Children);
        json.WriteNumber("depth", limits.Depth);
        if (limits.OutputTokens is { } tokens) json.WriteNumber("outputTokens", tokens);
        json.WriteEndObject();
    }
}
