using Penstock.Configuration;

namespace Penstock.Budgets;

/// <summary>How money is held.</summary>
internal sealed record BudgetOptions
{
    /// <summary>After how long a hold that nobody settled is booked at its ceiling, in minutes; default 60. A call must be over by then.</summary>
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
    public BudgetOptions Current { get; private set; } = new();

    public IReadOnlyList<string> Names { get; } = ["budgets"];

    public Action Read(ConfigRead file)
    {
        var options = new BudgetOptions();
        if (file.Section("budgets") is { } section)
        {
            file.Try<object?>(() => { section.AllowOnly("holdMinutes", "whenStoreFails", "extras"); return null; }, null);
            options = new BudgetOptions
            {
                HoldFor = file.Try(() => section.Optional("holdMinutes") is { } minutes ? TimeSpan.FromMinutes(minutes.Number(1, 24 * 60)) : options.HoldFor, options.HoldFor),
                AllowUnheld = file.Try(() => section.Optional("whenStoreFails")?.OneOf("refuse", "allow") == "allow", false),
                AllowExtras = file.Try(() => section.Optional("extras")?.OneOf("refuse", "allow") == "allow", false),
            };
        }

        return () => Current = options;
    }
}
