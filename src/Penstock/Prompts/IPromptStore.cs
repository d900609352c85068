using Penstock.Kernel;

namespace Penstock.Prompts;

/// <summary>
/// Versions of templates, which never change, and the labels that point at them. Every version is a tenant's own. Writes are durable when their task
/// completes.
/// </summary>
public interface IPromptStore
{
    /// <summary>False where the tenant has that version already; nothing is changed then.</summary>
    Task<bool> AddAsync(PromptVersion version, CancellationToken ct);

    /// <summary>Versions of a template whose hash begins with <paramref name="hash"/> (hexadecimal, 1 to 64 digits): at most two, so that one knows whether there are several.</summary>
    Task<IReadOnlyList<PromptVersion>> FindAsync(TenantId tenant, string name, string hash, CancellationToken ct);

    /// <summary>The tenant's versions without their texts, newest first; of one template where <paramref name="name"/> is not null.</summary>
    Task<IReadOnlyList<PromptEntry>> ListAsync(TenantId tenant, string? name, CancellationToken ct);

    /// <summary>The last move of a label, which says where it points; null where it was never set.</summary>
    Task<PromptMove?> LabelAsync(TenantId tenant, string name, string label, CancellationToken ct);

    /// <summary>The last move of every label the tenant has, by name and label; of one template where <paramref name="name"/> is not null.</summary>
    Task<IReadOnlyList<PromptMove>> LabelsAsync(TenantId tenant, string? name, CancellationToken ct);

    /// <summary>
    /// Points a label at a version, in one step: only where the label's last move is number <c>move.Number - 1</c> (0: never set) and the tenant has the
    /// version. Of any number of movers who saw the same label one wins.
    /// </summary>
    Task<PromptMoved> MoveAsync(PromptMove move, CancellationToken ct);

    /// <summary>The move of this number; null where there is none.</summary>
    Task<PromptMove?> MoveOfAsync(TenantId tenant, string name, string label, long number, CancellationToken ct);

    /// <summary>Moves of a template's labels, newest first; of two at the same time, by label and number downwards.</summary>
    Task<IReadOnlyList<PromptMove>> HistoryAsync(TenantId tenant, string name, int limit, CancellationToken ct);
}

/// <param name="By">Who put it there: a key's id, or a user of the command line.</param>
public sealed record PromptEntry(TenantId Tenant, string Name, string Hash, DateTimeOffset At, string By);

/// <param name="Text">The whole canonical file, of which <see cref="PromptEntry.Hash"/> is the SHA-256.</param>
public sealed record PromptVersion(PromptEntry Entry, string Text);

public enum PromptMoved
{
    Moved,

    /// <summary>Somebody else moved the label first; look again.</summary>
    Overtaken,

    NoSuchVersion,
}

/// <summary>One step in a label's history.</summary>
public sealed record PromptMove
{
    public required TenantId Tenant { get; init; }
    public required string Name { get; init; }
    public required string Label { get; init; }

    /// <summary>1 for the first move of this label, and one more for each later.</summary>
    public required long Number { get; init; }

    /// <summary>Hash of the version it pointed at before; null on the first move.</summary>
    public string? From { get; init; }

    /// <summary>Hash of the version it points at from then on.</summary>
    public required string To { get; init; }

    /// <summary>Number of the move that a roll back returns to; 0 where there is none. <c>Number - 1</c>, except on a move that was itself a roll back.</summary>
    public required long Before { get; init; }

    public required string By { get; init; }

    /// <summary>To the millisecond, UTC.</summary>
    public required DateTimeOffset At { get; init; }

    public required string Reason { get; init; }
}
