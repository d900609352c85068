using Penstock.Configuration;

namespace Penstock.Agents;

/// <summary>Reads the section <c>agents</c>.</summary>
internal sealed class AgentSection : IConfigSection
{
    public AgentOptions Current { get; private set; } = new();

    public IReadOnlyList<string> Names { get; } = ["agents"];

    public Action Read(ConfigRead file)
    {
        var usual = new AgentOptions();
        if (file.Section("agents") is not { } section) return () => Current = usual;
        file.Try<object?>(() => { section.AllowOnly("waitSeconds"); return null; }, null);
        var options = new AgentOptions
        {
            Wait = file.Try(() => section.Optional("waitSeconds") is { } wait ? TimeSpan.FromSeconds(wait.Number(0, RunRequest.LongestWait.TotalSeconds)) : usual.Wait, usual.Wait),
        };
        return () => Current = options;
    }
}

internal sealed record AgentOptions
{
    /// <summary>How long <c>POST /v1/agents/run</c> waits for the end of a run before it answers 202; 0 to 55 s, default 25.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(25);
}
