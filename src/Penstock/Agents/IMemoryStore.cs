using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>What agents remember beyond a run: the threads of conversations, and facts about end users. Both belong to a project; nothing crosses one. Durable when a write's task completes.</summary>
public interface IMemoryStore
{
    /// <summary>Adds what one run said and heard, once: false, and nothing changed, where the run's messages are there already. Messages of a thread are numbered from 1 in the order of these calls.</summary>
    Task<bool> AddMessagesAsync(ThreadId thread, RunId run, IReadOnlyList<ThreadMessage> messages, CancellationToken ct);

    /// <summary>The latest <paramref name="limit"/>, oldest first.</summary>
    Task<IReadOnlyList<ThreadMessage>> MessagesAsync(ThreadId thread, int limit, CancellationToken ct);

    /// <summary>How many messages were forgotten.</summary>
    Task<int> ForgetThreadAsync(ThreadId thread, CancellationToken ct);

    /// <summary>Adds the fact or replaces the one of its id.</summary>
    Task PutFactAsync(MemoryFact fact, CancellationToken ct);

    /// <summary>Newest first; at most <paramref name="limit"/>.</summary>
    Task<IReadOnlyList<MemoryFact>> FactsAsync(MemoryOwner owner, int limit, CancellationToken ct);

    /// <summary>False where there was none.</summary>
    Task<bool> ForgetFactAsync(MemoryOwner owner, string id, CancellationToken ct);

    /// <summary>How many facts were forgotten.</summary>
    Task<int> ForgetAllAsync(MemoryOwner owner, CancellationToken ct);
}

/// <summary>A conversation as its client names it.</summary>
public readonly record struct ThreadId(TenantId Tenant, ProjectId Project, string Conversation);

/// <param name="Role"><c>user</c> or <c>assistant</c>.</param>
public sealed record ThreadMessage(string Role, string Text, DateTimeOffset At);

/// <summary>The end user that facts are about, as the client names them.</summary>
public readonly record struct MemoryOwner(TenantId Tenant, ProjectId Project, string User);

/// <param name="Id">Unique for its owner.</param>
/// <param name="Run">The run that learned it; null where a client told it.</param>
public sealed record MemoryFact(MemoryOwner Owner, string Id, string Text, DateTimeOffset At, RunId? Run);
