using Penstock.Configuration;

namespace Penstock.Usage;

/// <summary>What becomes of usage.</summary>
internal sealed record UsageOptions
{
    /// <summary>How long single attempts are kept, in days; default 400. Their sums are kept for ever.</summary>
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromDays(400);
}

/// <summary>The section <c>usage</c>.</summary>
internal sealed class UsageSection : IConfigSection
{
    public UsageOptions Current { get; private set; } = new();

    public IReadOnlyList<string> Names { get; } = ["usage"];

    public Action Read(ConfigRead file)
    {
        var options = new UsageOptions();
        if (file.Section("usage") is { } section)
        {
            file.Try<object?>(() => { section.AllowOnly("keepDays"); return null; }, null);
            options = new UsageOptions
            {
                KeepFor = file.Try(() => section.Optional("keepDays") is { } days ? TimeSpan.FromDays(days.Number(1, 36_500)) : options.KeepFor, options.KeepFor),
            };
        }

        return () => Current = options;
    }
}
