using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>What a key may do.</summary>
[Flags]
public enum Scopes
{
    None = 0,
    Complete = 1,
    Embed = 2,
    RunAgents = 4,

    /// <summary>Manages the keys, projects and budgets of its own tenant.</summary>
    Admin = 8,

    /// <summary>An admin of every tenant; held by the key of the first start.</summary>
    Operator = 16,

    /// <summary>Calls tools: those built in, or those that <see cref="KeyRecord.Tools"/> names. <see cref="RunAgents"/> holds it too.</summary>
    CallTools = 32,
}

/// <summary>A virtual key as it is stored: its secret only as a hash.</summary>
public sealed record KeyRecord
{
    public required TenantId Tenant { get; init; }
    public required ProjectId Project { get; init; }
    public required KeyId Id { get; init; }
    public required string Name { get; init; }

    /// <summary>SHA-256 of the whole key text, 32 bytes. The secret holds 256 random bits, so that a slow hash would add nothing.</summary>
    public required ReadOnlyMemory<byte> Hash { get; init; }

    /// <summary>The hash before the last rotation, accepted until <see cref="PreviousUntil"/>.</summary>
    public ReadOnlyMemory<byte>? PreviousHash { get; init; }

    public DateTimeOffset? PreviousUntil { get; init; }

    public required Scopes Scopes { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public DateTimeOffset? RevokedAt { get; init; }

    /// <summary>Models, aliases or tiers the key may name; empty for all.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Tools the key may call, by name or by beginning and <c>*</c>; empty for all that are built in.</summary>
    public IReadOnlyList<string> Tools { get; init; } = [];

    /// <summary>USD per calendar month, null for none.</summary>
    public Money? MonthlyBudget { get; init; }

    /// <summary>Requests per second that refill the bucket; null for the configured default.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>Size of the bucket in requests; null for the configured default.</summary>
    public int? Burst { get; init; }

    public int? TokensPerMinute { get; init; }

    /// <summary>Calls in flight at once; null for no limit.</summary>
    public int? Concurrency { get; init; }

    /// <summary>Guard rules beside the configured ones, as JSON that was checked when the key was made; null for none.</summary>
    public string? Guards { get; init; }
}

/// <summary>Who is calling: the key that authenticated, or the token that stands for one.</summary>
public sealed record Caller(KeyRecord Key)
{
    /// <summary>Sealed keys at providers that serve this caller, at most one a provider.</summary>
    public IReadOnlyList<SealedProviderKey> ProviderKeys { get; init; } = [];

    /// <summary>Ids of the agent runs that call, from the outermost, <c>/</c> between them; null outside of runs. Each of them has an envelope.</summary>
    public string? Run { get; init; }

    /// <summary>What the runs of <see cref="Run"/> may spend, in their order.</summary>
    public IReadOnlyList<RunEnvelope> Envelopes { get; init; } = [];

    public TenantId Tenant => Key.Tenant;
    public ProjectId Project => Key.Project;
    public bool Has(Scopes scope) => (Held & scope) == scope;

    /// <summary>Who runs agents runs their tools.</summary>
    private Scopes Held => Key.Scopes.HasFlag(Scopes.RunAgents) ? Key.Scopes | Scopes.CallTools : Key.Scopes;
}

/// <param name="Limit">The most that the run may spend, all that it starts included.</param>
public sealed record RunEnvelope(RunId Run, Money Limit);
