using Penstock.Configuration;

namespace Penstock.Jobs;

/// <summary>The section <c>jobs</c>.</summary>
internal sealed record JobOptions
{
    /// <summary>Jobs at work at once in this server; one more waits in the queue. 0 for a server that only takes them. Default 5.</summary>
    public int Concurrency { get; init; } = 5;

    /// <summary>Calls that may fail for a passing reason, or be lost with their worker, before the job is left alone; default 5.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>How long a worker that shows no life has its job, in whole seconds; default 60. It shows life three times as often.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>First wait before a job is tried again, doubled each time up to 15 minutes; default 2 s.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long jobs are kept after their end where they do not say, in hours; default 72.</summary>
    public TimeSpan Keep { get; init; } = TimeSpan.FromHours(72);

    /// <summary>What the keys of webhook signatures are derived from; null where none are sent.</summary>
    public HookSecret? WebhookSecret { get; init; }
}
