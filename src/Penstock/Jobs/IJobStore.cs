using Penstock.Kernel;

namespace Penstock.Jobs;

/// <summary>Jobs, with what was asked and what was answered. Writes are durable when their task completes; no read but the two for all tenants crosses one.</summary>
public interface IJobStore
{
    /// <summary>Largest request and largest answer, in bytes; some stores must keep them in pieces.</summary>
    const int MostBytes = 8 * 1024 * 1024;

    /// <summary>False where the id is taken.</summary>
    Task<bool> AddAsync(JobRecord job, ReadOnlyMemory<byte> request, CancellationToken ct);

    /// <summary>Null where there is none.</summary>
    Task<JobRecord?> GetAsync(TenantId tenant, JobId id, CancellationToken ct);

    /// <summary>What was asked; null where the job is gone.</summary>
    Task<ReadOnlyMemory<byte>?> RequestAsync(TenantId tenant, JobId id, CancellationToken ct);

    /// <summary>What was answered; null where nothing was yet.</summary>
    Task<ReadOnlyMemory<byte>?> ResultAsync(TenantId tenant, JobId id, CancellationToken ct);

    /// <summary>
    /// Replaces the job as it was at <see cref="JobRecord.Version"/> and gives it the next version. False where it has another by now, or is gone; nothing
    /// changes then. A change whose answer was lost may be asked for again.
    /// </summary>
    /// <param name="result">Kept with it; null leaves what is there.</param>
    Task<bool> ChangeAsync(JobRecord job, ReadOnlyMemory<byte>? result, CancellationToken ct);

    /// <summary>Newest first.</summary>
    Task<IReadOnlyList<JobRecord>> ListAsync(TenantId tenant, JobQuery query, CancellationToken ct);

    /// <summary>Jobs of every tenant that have not ended, or of whose end nobody was told, and that nothing changed since <paramref name="before"/>; the oldest first.</summary>
    Task<IReadOnlyList<JobRecord>> StaleAsync(DateTimeOffset before, int limit, CancellationToken ct);

    /// <summary>Drops jobs of every tenant that are past their <see cref="JobRecord.KeepUntil"/>, a bounded number at a time; returns how many.</summary>
    Task<int> DropAsync(DateTimeOffset now, CancellationToken ct);
}
