using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Budgets;

/// <summary>How money is held.</summary>
internal sealed record BudgetOptions
{
    /// <summary>After how long a hold that nobody settled is booked at its ceiling, in minutes, or where calls are short in seconds; default 60 minutes. A call must be over by then.</summary>
    public TimeSpan HoldFor { get; init; } = TimeSpan.FromMinutes(60);

    /// <summary>
    /// Whether calls go on where the store cannot hold or book their money; default false. They may pass hard caps then, and those that could not be booked
    /// are only in the log.
    /// </summary>
    public bool AllowUnheld { get; init; }

    /// <summary>Whether calls under a hard budget may ask for what vendors bill beside tokens, such as web searches; default false. Its cost is not booked.</summary>
    public bool AllowExtras { get; init; }
}

/// <summary>The section <c>budgets</c>.</summary>
internal sealed class BudgetSection : IConfigSection
{
    private const int LongestMinutes = 24 * 60;

    public BudgetOptions Current { get; private set; } = new();

    public IReadOnlyList<string> Names { get; } = ["budgets"];

    public Action Read(ConfigRead file)
    {
        var options = new BudgetOptions();
        if (file.Section("budgets") is { } section)
        {
            file.Try<object?>(() => { section.AllowOnly("holdMinutes", "holdSeconds", "whenStoreFails", "extras"); return null; }, null);
            options = new BudgetOptions
            {
                HoldFor = file.Try(() => HoldFor(section) ?? options.HoldFor, options.HoldFor),
                AllowUnheld = file.Try(() => section.Optional("whenStoreFails")?.OneOf("refuse", "allow") == "allow", false),
                AllowExtras = file.Try(() => section.Optional("extras")?.OneOf("refuse", "allow") == "allow", false),
            };
        }

        return () => Current = options;
    }

    private static TimeSpan? HoldFor(JsonView section)
    {
        if (section.Optional("holdSeconds") is not { } seconds) return section.Optional("holdMinutes") is { } minutes ? TimeSpan.FromMinutes(minutes.Number(1, LongestMinutes)) : null;
        if (section.Optional("holdMinutes") is not null) throw seconds.Bad("cannot stand beside 'budgets.holdMinutes'");
        return TimeSpan.FromSeconds(seconds.Number(1, LongestMinutes * 60));
    }
}
