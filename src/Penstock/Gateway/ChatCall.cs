using Penstock.Prompts;

namespace Penstock.Gateway;

/// <summary>A wire format we read and write whole.</summary>
public enum Dialect
{
    Native,
    OpenAi,
    Anthropic,

    /// <summary>Amazon Bedrock's. Only providers speak it: no bytes of theirs go to a client as they came.</summary>
    Converse,
}

/// <summary>
/// A chat request in no vendor's words. A target of the client's own dialect is sent <see cref="Body"/> with only what must change;
/// any other target is written from the rest.
/// </summary>
public sealed record ChatCall
{
    /// <summary>The dialect the client spoke.</summary>
    public required Dialect Dialect { get; init; }

    /// <summary>The client's own bytes: one JSON object, valid UTF-8, no name given twice. Empty where the call was made by us.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>As the client named it: a model, an alias, a tier or <c>provider/model</c>.</summary>
    public required string Model { get; init; }

    /// <summary>System messages stand in this list, where the client put them.</summary>
    public required IReadOnlyList<ChatMessage> Messages { get; init; }

    public IReadOnlyList<ToolDefinition> Tools { get; init; } = [];

    /// <summary>Null leaves it to the model.</summary>
    public ToolChoice? ToolChoice { get; init; }

    /// <summary>False forbids more than one tool call in a turn; null leaves it to the provider.</summary>
    public bool? ParallelToolCalls { get; init; }

    public ResponseFormat? ResponseFormat { get; init; }

    /// <summary>Tokens the answer may have, reasoning included.</summary>
    public int? MaxOutputTokens { get; init; }

    /// <summary>0 to 2; a target whose range is smaller refuses what lies outside.</summary>
    public double? Temperature { get; init; }

    public double? TopP { get; init; }

    public int? TopK { get; init; }

    public double? FrequencyPenalty { get; init; }

    public double? PresencePenalty { get; init; }

    public IReadOnlyList<string> Stop { get; init; } = [];

    public long? Seed { get; init; }

    public bool Logprobs { get; init; }

    public int? TopLogprobs { get; init; }

    /// <summary>How many answers are asked for (OpenAI's <c>n</c>).</summary>
    public int Choices { get; init; } = 1;

    /// <summary>The end user as the client names them (OpenAI's <c>user</c>, Anthropic's <c>metadata.user_id</c>).</summary>
    public string? EndUser { get; init; }

    /// <summary>What usage is grouped by as a conversation, as the client names it.</summary>
    public string? Conversation { get; init; }

    /// <summary>What the call is for, as the client names it; decides who answers where the client leaves that to us.</summary>
    public string? Task { get; init; }

    public bool Stream { get; init; }

    /// <summary>The client asked for OpenAI's closing usage chunk; else it is not shown.</summary>
    public bool IncludeUsage { get; init; }

    /// <summary>
    /// Paths of fields that are set and that only the client's own dialect knows. A target of another dialect refuses the first by name.
    /// A value that asks for nothing (<c>store: false</c>, <c>service_tier: "auto"</c>) is not listed.
    /// </summary>
    public IReadOnlyList<string> DialectOnly { get; init; } = [];

    /// <summary>
    /// Request headers that only the client's own dialect knows, such as <c>anthropic-beta</c>. A target of that dialect is sent those it
    /// names in its own list; no other target sees them.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, string>> PassHeaders { get; init; } = [];

    /// <summary>The template that made the prompt; null where the client wrote it.</summary>
    public PromptVersionId? Template { get; init; }

    /// <summary>The template that the client asks for, until it is found and put in its place.</summary>
    internal WantedTemplate? Wanted { get; init; }

    /// <summary>Where the client's body holds a message, such as <c>messages[2]</c>.</summary>
    public string PathOf(int message) => Messages[message].Path is { Length: > 0 } path ? path : $"messages[{message}]";
}

/// <summary>A template as a request names it.</summary>
/// <param name="Model">The request's own model; null for the template's.</param>
internal sealed record WantedTemplate(PromptReference Reference, IReadOnlyDictionary<string, string> Values, string? Model);

public enum ChatRole
{
    System,
    User,
    Assistant,

    /// <summary>Holds exactly one <see cref="ToolResultPart"/>.</summary>
    Tool,
}

/// <param name="Name">OpenAI's <c>name</c> of the speaker, null where none was given.</param>
public sealed record ChatMessage(ChatRole Role, IReadOnlyList<ChatPart> Parts, string? Name = null)
{
    /// <summary>
    /// Where the client's body holds it: <c>messages[2]</c>, <c>system</c>, or the block a result of Anthropic's stands in. Its place in
    /// <see cref="ChatCall.Messages"/> may be another. Empty where the message was made by us.
    /// </summary>
    public string Path { get; init; } = "";

    /// <summary>All text of the message, parts joined by a line break.</summary>
    public string Text() => string.Join('\n', Parts.OfType<TextPart>().Select(part => part.Text));
}

/// <summary>One piece of a message. The closed set stands in this file.</summary>
public abstract record ChatPart
{
    /// <summary>All up to here is to be kept in the provider's cache; null where nobody asks. It changes what a call costs, never what is answered: a target without such marks leaves it out.</summary>
    public CacheMark? Cache { get; init; }
}

/// <summary>How long a provider keeps what is marked.</summary>
public enum CacheMark
{
    FiveMinutes,
    OneHour,
}

public sealed record TextPart(string Text) : ChatPart;

/// <summary>Either <paramref name="Url"/> (https), or <paramref name="MediaType"/> and base64 <paramref name="Data"/>.</summary>
/// <param name="Detail">OpenAI's <c>low</c> or <c>high</c>; null where left to the provider.</param>
public sealed record ImagePart(string? Url, string? MediaType, string? Data, string? Detail = null) : ChatPart;

/// <param name="Arguments">A JSON object as text; <c>{}</c> where the call has none.</param>
public sealed record ToolCallPart(string Id, string Name, string Arguments) : ChatPart;

public sealed record ToolResultPart(string CallId, IReadOnlyList<ChatPart> Content, bool IsError = false) : ChatPart;

/// <summary>The model's reasoning, which must go back unchanged with its signature.</summary>
public sealed record ThinkingPart(string Text, string? Signature) : ChatPart;

public sealed record RedactedThinkingPart(string Data) : ChatPart;

/// <summary>An earlier answer in which the model declined.</summary>
public sealed record RefusedPart(string Text) : ChatPart;

/// <summary>A part only the client's own dialect knows, such as a document or sound; other targets refuse it by <paramref name="Path"/>.</summary>
public sealed record OpaquePart(string Path, string Type) : ChatPart;

/// <param name="Schema">JSON Schema of the arguments, as JSON text; null where the tool takes none.</param>
public sealed record ToolDefinition(string Name, string? Description, string? Schema, bool? Strict = null)
{
    /// <summary>As <see cref="ChatPart.Cache"/>.</summary>
    public CacheMark? Cache { get; init; }
}

public enum ToolChoiceKind
{
    Auto,
    None,

    /// <summary>At least one tool must be called (OpenAI <c>required</c>, Anthropic <c>any</c>).</summary>
    Required,

    /// <summary>The tool <see cref="ToolChoice.Name"/> must be called.</summary>
    Named,
}

public sealed record ToolChoice(ToolChoiceKind Kind, string? Name = null);

/// <summary>What form the answer must have.</summary>
/// <param name="Schema">JSON Schema as JSON text; null asks for any JSON object.</param>
public sealed record ResponseFormat(string? Name, string? Schema, bool? Strict = null, string? Description = null);
