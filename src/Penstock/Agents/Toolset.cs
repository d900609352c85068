using Penstock.Keys;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>A tool as a run's model is offered it.</summary>
/// <param name="Alias">The name it has there: vendors take no dots.</param>
/// <param name="OfMachine">Done by the run itself.</param>
internal sealed record OfferedTool(string Alias, ToolSpec Spec, AgentTool Settings, bool OfMachine)
{
    public ToolEffect Effect => Settings.Effect ?? Spec.Effect;

    public bool IsSearch => Spec is { Kind: ToolKind.BuiltIn, Name: "search" };
}

/// <summary>What a run may call now: what its definition or its client names, as far as its key may call it.</summary>
internal sealed class Toolset
{
    private readonly List<OfferedTool> _offered = [];

    public Toolset(AgentDefinition agent, IReadOnlyList<string>? chosen, Caller caller, ToolBox box, bool mayHand)
    {
        var callable = box.For(caller);
        foreach (var settings in agent.Tools) AddAll(settings, callable, name => chosen is null || chosen.Contains(name) || MachineTools.Find(name) is not null);
        foreach (var name in chosen ?? []) AddAll(new AgentTool(name), callable, _ => true);
        if (agent.Agents.Count > 0 && mayHand) Add(MachineTools.Handing(agent.Agents), new AgentTool(MachineTools.RunAgent), ofMachine: true);
    }

    /// <summary>In the order of the definition.</summary>
    public IReadOnlyList<OfferedTool> Offered => _offered;

    public OfferedTool? Find(string alias) => _offered.Find(tool => tool.Alias == alias);

    private void AddAll(AgentTool settings, IReadOnlyList<ITool> callable, Func<string, bool> wanted)
    {
        if (MachineTools.Find(settings.Name) is { } own)
        {
            Add(own, settings, ofMachine: true);
            return;
        }

        foreach (var tool in callable.Where(tool => NamePattern.Fits(settings.Name, tool.Spec.Name) && wanted(tool.Spec.Name))) Add(tool.Spec, settings, ofMachine: false);
    }

    /// <summary>The first that names a tool says how it is called.</summary>
    private void Add(ToolSpec spec, AgentTool settings, bool ofMachine)
    {
        var alias = spec.Name.Replace(".", "__", StringComparison.Ordinal);
        if (Find(alias) is null) _offered.Add(new OfferedTool(alias, spec, settings, ofMachine));
    }
}
