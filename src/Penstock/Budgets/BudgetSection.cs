using Penstock.Configuration;

namespace Penstock.Budgets;

/// <summary>How money is held.</summary>
internal sealed record BudgetOptions
{
    /// <summary>After how long a hold that nobody settled is booked at its ceiling, in minutes; default 60. A call must be over by then.</summary>
    public TimeSpan HoldFor { get; init; } = TimeSpan.FromMinutes(60);
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
            file.Try<object?>(() => { section.AllowOnly("holdMinutes"); return null; }, null);
            options = new BudgetOptions
            {
                HoldFor = file.Try(() => section.Optional("holdMinutes") is { } minutes ? TimeSpan.FromMinutes(minutes.Number(1, 24 * 60)) : options.HoldFor, options.HoldFor),
            };
        }

        return () => Current = options;
    }
}
