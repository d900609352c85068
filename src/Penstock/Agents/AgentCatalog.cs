namespace Penstock.Agents;

/// <summary>The definitions in force.</summary>
internal sealed class AgentCatalog(IReadOnlyList<AgentDefinition> agents)
{
    public IReadOnlyList<AgentDefinition> Current => agents;

    public AgentDefinition? Find(string name) => agents.FirstOrDefault(agent => agent.Name == name);
}
