namespace Penstock.Agents;

/// <summary>The section <c>agents</c>.</summary>
internal sealed record AgentOptions
{
    /// <summary>Runs at work at once in this server; one more waits in the queue. Default 15.</summary>
    public int MaxRuns { get; init; } = 15;

    /// <summary>Of those, of one tenant; default 15.</summary>
    public int MaxRunsPerTenant { get; init; } = 15;

    /// <summary>How long an owner that shows no life is left alone, in seconds; default 30.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often an owner shows life, in seconds; default 10.</summary>
    public TimeSpan Renew { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After how long without showing life an owner takes itself to have lost the run, in seconds; default 20. More than <see cref="Renew"/>, less than <see cref="Lease"/>.</summary>
    public TimeSpan Fence { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Owners in a row that may die with a run before it is left alone; default 5.</summary>
    public int MaxCrashes { get; init; } = 5;

    /// <summary>How long ended runs are kept, in days; default 90.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(90);

    /// <summary>How long a start waits for its run's end where it does not say, in seconds; default 25.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(25);
}
