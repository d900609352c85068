using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>The section <c>agents</c>.</summary>
internal sealed class AgentSection(AgentCatalog catalog) : IConfigSection
{
    private const string UsualFolder = "agents";

    private static readonly AgentOptions Usual = new();

    public AgentOptions Current { get; private set; } = Usual;

    public IReadOnlyList<string> Names { get; } = ["agents"];

    public Action Read(ConfigRead file)
    {
        var (options, folder) = file.Section("agents") is { } section ? (ReadOptions(file, section), ReadFolder(file, section)) : (Usual, Path.Combine(file.Folder, UsualFolder));
        var full = Path.GetFullPath(folder);
        return () =>
        {
            Current = options;
            catalog.Use(full);
        };
    }

    private static AgentOptions ReadOptions(ConfigRead file, JsonView section)
    {
        file.Try<object?>(() => { section.AllowOnly("folder", "maxRuns", "maxRunsPerTenant", "leaseSeconds", "renewSeconds", "fenceSeconds", "maxCrashes", "retentionDays", "waitSeconds"); return null; }, null);
        var options = new AgentOptions
        {
            MaxRuns = Whole(file, section, "maxRuns", 1, 10_000, Usual.MaxRuns),
            MaxRunsPerTenant = Whole(file, section, "maxRunsPerTenant", 1, 10_000, Usual.MaxRunsPerTenant),
            Lease = Seconds(file, section, "leaseSeconds", 0.5, 600, Usual.Lease),
            Renew = Seconds(file, section, "renewSeconds", 0.05, 300, Usual.Renew),
            Fence = Seconds(file, section, "fenceSeconds", 0.1, 599, Usual.Fence),
            MaxCrashes = Whole(file, section, "maxCrashes", 1, 100, Usual.MaxCrashes),
            Retention = TimeSpan.FromDays(Whole(file, section, "retentionDays", 1, 3_650, (int)Usual.Retention.TotalDays)),
            Wait = Seconds(file, section, "waitSeconds", 0, RunRequest.LongestWait.TotalSeconds, Usual.Wait),
        };
        if (options.Renew >= options.Fence || options.Fence >= options.Lease)
            file.Fail(FormattableString.Invariant($"'agents' needs renewSeconds < fenceSeconds < leaseSeconds, and has {options.Renew.TotalSeconds:0.###}, {options.Fence.TotalSeconds:0.###} and {options.Lease.TotalSeconds:0.###}: an owner must know that it lost a run before another takes it."));
        return options;
    }

    private static string ReadFolder(ConfigRead file, JsonView section)
    {
        var usual = Path.Combine(file.Folder, UsualFolder);
        var folder = file.Try(() => section.Optional("folder") is { } given ? Path.Combine(file.Folder, given.ShortText(1_000)) : usual, usual);
        if (section.Optional("folder") is not null && !Directory.Exists(folder)) file.Fail($"'agents.folder' names '{folder}', which is no folder. Make it, or name another.");
        return folder;
    }

    private static int Whole(ConfigRead file, JsonView section, string name, int least, int most, int usual) =>
        file.Try(() => (int)(section.Optional(name)?.Whole(least, most) ?? usual), usual);

    private static TimeSpan Seconds(ConfigRead file, JsonView section, string name, double least, double most, TimeSpan usual) =>
        file.Try(() => section.Optional(name) is { } given ? TimeSpan.FromSeconds(given.Number(least, most)) : usual, usual);
}
