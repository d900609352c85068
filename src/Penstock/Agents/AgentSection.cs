using Penstock.Configuration;

namespace Penstock.Agents;

/// <summary>The section <c>agents</c>: <c>{folder}</c>.</summary>
internal sealed class AgentSection(AgentCatalog catalog) : IConfigSection
{
    private const string UsualFolder = "agents";

    public IReadOnlyList<string> Names { get; } = ["agents"];

    public Action Read(ConfigRead file)
    {
        var folder = Path.Combine(file.Folder, UsualFolder);
        if (file.Section("agents") is { } section)
        {
            file.Try<object?>(() => { section.AllowOnly("folder"); return null; }, null);
            folder = file.Try(() => section.Optional("folder") is { } given ? Path.Combine(file.Folder, given.ShortText(1_000)) : folder, folder);
            if (section.Optional("folder") is not null && !Directory.Exists(folder)) file.Fail($"'agents.folder' names '{folder}', which is no folder. Make it, or name another.");
        }

        var full = Path.GetFullPath(folder);
        return () => catalog.Use(full);
    }
}
