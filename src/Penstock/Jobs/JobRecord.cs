using Penstock.Kernel;

namespace Penstock.Jobs;

/// <summary>One call that is made without its client; <c>job_</c> and 24 hexadecimal digits.</summary>
public readonly record struct JobId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>The numbers stand in stores.</summary>
public enum JobState
{
    /// <summary>Wants a worker, for the first time or again.</summary>
    Queued = 0,
    Running = 1,

    /// <summary>Answered; the answer is kept.</summary>
    Completed = 2,

    /// <summary>Refused, and would be refused again.</summary>
    Failed = 3,

    /// <summary>Failed or lost its worker too often: left alone, until an admin sends it on.</summary>
    Dead = 4,

    /// <summary>Its client wants it no more.</summary>
    Cancelled = 5,
}

/// <summary>What became of the news of a job's end. The numbers stand in stores.</summary>
public enum JobHook
{
    /// <summary>Nobody asked to be told, or there is nothing to tell yet.</summary>
    None = 0,
    Pending = 1,
    Delivered = 2,

    /// <summary>Tried often enough.</summary>
    Failed = 3,
}

/// <summary>A job as it is stored, without what was asked and what was answered. Times are to the millisecond.</summary>
public sealed record JobRecord
{
    public required TenantId Tenant { get; init; }

    public required JobId Id { get; init; }

    /// <summary>Grows by one with every change; a change names the one it was made from.</summary>
    public long Version { get; init; }

    /// <summary>On whose account it runs, and with whose rights at that time.</summary>
    public required KeyId Key { get; init; }

    public required ProjectId Project { get; init; }

    /// <summary>JSON: what the token allowed, where no stored key stands behind it; null for a key, which is asked anew.</summary>
    public string? Authority { get; init; }

    /// <summary>Such as <c>/v1/chat/completions</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Who is told of its end; null for nobody.</summary>
    public string? Webhook { get; init; }

    public JobHook Hook { get; init; }

    public JobState State { get; init; }

    /// <summary>Calls begun, those that were lost with their worker included.</summary>
    public int Attempts { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Of the last change.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Who works at it, unique to each taking; null while nobody does.</summary>
    public string? Owner { get; init; }

    /// <summary>When its worker counts as dead, unless it renews.</summary>
    public DateTimeOffset? LeaseUntil { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>How long it is kept after its end.</summary>
    public required TimeSpan Keep { get; init; }

    /// <summary>Null until it ended.</summary>
    public DateTimeOffset? KeepUntil { get; init; }

    /// <summary>HTTP status of the answer, or of the last refusal.</summary>
    public int? Status { get; init; }

    /// <summary>Of the answer.</summary>
    public string? ContentType { get; init; }

    /// <summary>Code of the last refusal.</summary>
    public string? ErrorCode { get; init; }

    public string? Error { get; init; }

    /// <summary>Of all calls that were heard of; the ledger has those of lost ones too.</summary>
    public Money Cost { get; init; }

    public bool Ended => State >= JobState.Completed;
}

/// <summary>Which jobs of a tenant, newest first.</summary>
public sealed record JobQuery
{
    /// <summary>Null for all.</summary>
    public ProjectId? Project { get; init; }

    public JobState? State { get; init; }

    /// <summary>The last of the page before.</summary>
    public (DateTimeOffset CreatedAt, JobId Id)? After { get; init; }

    public required int Limit { get; init; }
}
