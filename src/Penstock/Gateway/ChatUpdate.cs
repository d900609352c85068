using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>
/// One step of an answer in no vendor's words; the closed set stands in this file. A whole answer is the same steps at once.
/// Order: <see cref="AnswerStarted"/>, then deltas, then one <see cref="Finished"/> per choice; <see cref="UsageReported"/> may come at any point after the start.
/// </summary>
public abstract record ChatUpdate;

/// <param name="Id">The provider's id of the answer.</param>
/// <param name="Model">The model that answers, as the provider names it.</param>
public sealed record AnswerStarted(string Id, string Model) : ChatUpdate;

/// <param name="Choice">0 but for <c>n &gt; 1</c>.</param>
public sealed record TextDelta(int Choice, string Text) : ChatUpdate;

/// <summary>Text in which the model declines.</summary>
public sealed record RefusalDelta(int Choice, string Text) : ChatUpdate;

/// <summary>Reasoning made visible.</summary>
public sealed record ThinkingDelta(string Text) : ChatUpdate;

/// <summary>The signature that closes the present thinking block.</summary>
public sealed record ThinkingSigned(string Signature) : ChatUpdate;

public sealed record ThinkingRedacted(string Data) : ChatUpdate;

/// <param name="Index">Counts the tool calls of a choice from 0.</param>
public sealed record ToolCallStarted(int Choice, int Index, string Id, string Name) : ChatUpdate;

/// <param name="Arguments">A piece of the JSON text of the arguments. No piece at all means <c>{}</c>.</param>
public sealed record ToolCallDelta(int Choice, int Index, string Arguments) : ChatUpdate;

public enum FinishReason
{
    Stop,

    /// <summary>A stop sequence was met; <see cref="Finished.StopSequence"/> says which where the provider does.</summary>
    StopSequence,
    Length,
    ToolCalls,
    ContentFilter,
}

public sealed record Finished(int Choice, FinishReason Reason, string? StopSequence = null) : ChatUpdate;

/// <summary>What the provider says it metered so far. Never summed: the last one stands.</summary>
/// <param name="Final">False while the answer still grows (Anthropic's <c>message_start</c>).</param>
/// <param name="PriceClass"><c>standard</c>, <c>priority</c>, <c>flex</c> or <c>batch</c> as served; null where the provider does not say.</param>
public sealed record UsageReported(TokenCounts Counts, bool Final, string? PriceClass = null) : ChatUpdate;

/// <summary>One event of a provider's stream, or its whole answer: as it came, and what it means.</summary>
/// <param name="Event">The SSE event name, null where the dialect has none.</param>
/// <param name="Data">The JSON as the provider sent it; empty where there is none to pass on.</param>
/// <param name="Updates">What it says; empty for pings and for events we do not know, which pass through to a client of the same dialect.</param>
/// <param name="Last">True on exactly one frame, the last: the answer is complete. A stream that ends without one was cut short.</param>
public readonly record struct ProviderFrame(string? Event, ReadOnlyMemory<byte> Data, IReadOnlyList<ChatUpdate> Updates, bool Last = false);
