using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;

namespace Penstock.Tools;

/// <summary>
/// Something that can be done for a model or for a client. A tool that asks a model lives where the pipeline is and comes in by the same registration;
/// nothing here knows it.
/// </summary>
internal interface ITool
{
    ToolSpec Spec { get; }

    /// <summary>
    /// The arguments satisfy <see cref="ToolSpec.Input"/>. Ends soon after <paramref name="ct"/> is cancelled: its place among the calls in flight is free only then.
    /// </summary>
    /// <exception cref="RefusedException">It could not be done; what went wrong with the arguments is a result instead.</exception>
    Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct);
}

/// <summary>A tool that can say what became of a call of which nobody else knows.</summary>
internal interface IReconciledTool : ITool
{
    /// <summary>Whether it was set up for that.</summary>
    bool Reconciles { get; }

    /// <summary>Asks it about the call of this key. Changes nothing, and may be asked again.</summary>
    /// <exception cref="RefusedException">It did not answer, or in no form that says something.</exception>
    Task<ToolWord> ReconcileAsync(ToolCall call, CancellationToken ct);
}

/// <summary>What a tool says of a call.</summary>
/// <param name="Happened">Null where it does not know.</param>
/// <param name="Output">JSON of what it answered, or would have; null where it says nothing of that.</param>
internal sealed record ToolWord(bool? Happened, string? Output);

/// <summary>One call of a tool: who calls, on whose account, and with what.</summary>
internal sealed record ToolCall
{
    /// <summary>The request it is part of, which the pipeline reads where the tool asks a model.</summary>
    public required HttpContext Http { get; init; }

    /// <summary>The limits over the caller.</summary>
    public required Passage Passage { get; init; }

    public required JsonView Arguments { get; init; }

    /// <summary>The same for every try of one call, and for no other call. Handed on by <see cref="ToolEffect.Idempotent"/> tools.</summary>
    public required string IdempotencyKey { get; init; }

    /// <summary>A run's, which waits for a place as long as it takes: how many it asks for at once is limited already, and nobody there tries again.</summary>
    public bool OfRun { get; init; }

    /// <summary>In the place of the tool's own where it is less; the wait for a place is not in it.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Runs when the call has its place, and before anything of it happens: what it throws ends the call. Null where there is nothing to do.</summary>
    public Func<Task>? Begin { get; init; }

    public Caller Caller => Passage.Caller;

    public RequestId Request => RequestScope.Of(Http).Id;
}
