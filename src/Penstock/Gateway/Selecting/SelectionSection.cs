using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Gateway.Selecting;

/// <summary>Reads the section <c>selection</c>.</summary>
internal sealed class SelectionSection : IConfigSection
{
    public IReadOnlyList<string> Names { get; } = ["selection"];

    public SelectionOptions Current { get; private set; } = new();

    public Action Read(ConfigRead file)
    {
        var options = file.Section("selection") is { } section ? Read(file, section) : new SelectionOptions();
        return () => Current = options;
    }

    private static SelectionOptions Read(ConfigRead file, JsonView section)
    {
        var usual = new SelectionOptions();
        file.Try<object?>(() => { section.AllowOnly("names", "fast", "standard", "reasoning", "fastInputTokens", "fastTools", "fastImages", "tasks"); return null; }, null);
        var tasks = new Dictionary<string, TaskSettings>(SelectionOptions.Shipped);
        foreach (var (name, view) in file.Try(() => section.Optional("tasks")?.Members().ToArray(), null) ?? [])
        {
            if (file.Try(() => ReadTask(name, view, tasks.GetValueOrDefault(name)), null) is { } task) tasks[name] = task;
        }

        return new SelectionOptions
        {
            Names = file.Try(() => section.Optional("names")?.Items().Select(name => name.ShortText(64)).ToArray() ?? usual.Names, usual.Names),
            Fast = Tier("fast", usual.Fast),
            Standard = Tier("standard", usual.Standard),
            Reasoning = Tier("reasoning", usual.Reasoning),
            FastInputTokens = file.Try(() => section.Optional("fastInputTokens")?.Whole(1) ?? usual.FastInputTokens, usual.FastInputTokens),
            FastTools = file.Try(() => section.Optional("fastTools")?.Flag() ?? usual.FastTools, usual.FastTools),
            FastImages = file.Try(() => section.Optional("fastImages")?.Flag() ?? usual.FastImages, usual.FastImages),
            Tasks = tasks,
        };

        string Tier(string name, string otherwise) => file.Try(() => section.Optional(name)?.ShortText(64) ?? otherwise, otherwise);
    }

    private static TaskSettings ReadTask(string name, JsonView view, TaskSettings? usual)
    {
        if (name.Length is 0 or > 40 || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')) throw view.Bad("must be named by 1 to 40 lower-case letters, digits or '-'");
        view.AllowOnly("tier", "qualityCheck");
        var tier = view.Optional("tier")?.ShortText(64) ?? usual?.Tier ?? throw view.Bad("needs 'tier'");
        return new TaskSettings(tier, view.Optional("qualityCheck") is { } check ? ReadCheck(check) : usual?.Check);
    }

    private static CheckSettings? ReadCheck(JsonView view)
    {
        if (view.Kind is System.Text.Json.JsonValueKind.False or System.Text.Json.JsonValueKind.True) return view.Flag() ? new CheckSettings() : null;
        view.AllowOnly("minWords", "maxWords", "overlap");
        return new CheckSettings
        {
            LeastWords = view.Optional("minWords")?.Whole(0) ?? 1,
            MostWords = view.Optional("maxWords")?.Whole(1),
            Overlap = view.Optional("overlap")?.Number(0, 1) ?? 0,
        };
    }
}
