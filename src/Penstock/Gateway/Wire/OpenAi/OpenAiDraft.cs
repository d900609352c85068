using Penstock.Kernel;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>A chat request while its fields are being read, in whatever order they stand.</summary>
internal sealed class OpenAiDraft
{
    public string? Model { get; set; }
    public IReadOnlyList<ChatMessage>? Messages { get; set; }
    public List<ToolDefinition> Tools { get; } = [];
    public bool ForeignTools { get; set; }
    public ToolChoice? ToolChoice { get; set; }
    public bool? ParallelToolCalls { get; set; }
    public ResponseFormat? ResponseFormat { get; set; }
    public int? MaxTokens { get; set; }
    public int? MaxCompletionTokens { get; set; }
    public double? Temperature { get; set; }
    public double? TopP { get; set; }
    public double? FrequencyPenalty { get; set; }
    public double? PresencePenalty { get; set; }
    public IReadOnlyList<string> Stop { get; set; } = [];
    public long? Seed { get; set; }
    public bool Logprobs { get; set; }
    public int? TopLogprobs { get; set; }
    public int Choices { get; set; } = 1;
    public string? EndUser { get; set; }
    public bool Stream { get; set; }
    public bool StreamOptions { get; set; }
    public bool IncludeUsage { get; set; }

    /// <summary>Paths of what only this dialect knows.</summary>
    public List<string> DialectOnly { get; } = [];

    /// <summary>The finished call, once the fields agree with each other.</summary>
    public ChatCall Build(JsonView root, ReadOnlyMemory<byte> body)
    {
        var model = Model ?? root.Required("model").Text();
        var messages = Messages ?? throw new RefusedException(Refusal.Invalid("messages", "'messages' is required: an array of at least one message."));
        CheckTogether();
        return new ChatCall
        {
            Dialect = Dialect.OpenAi,
            Body = body,
            Model = model,
            Messages = messages,
            Tools = Tools,
            ToolChoice = ToolChoice,
            ParallelToolCalls = ParallelToolCalls,
            ResponseFormat = ResponseFormat,
            MaxOutputTokens = MaxCompletionTokens ?? MaxTokens,
            Temperature = Temperature,
            TopP = TopP,
            FrequencyPenalty = FrequencyPenalty,
            PresencePenalty = PresencePenalty,
            Stop = Stop,
            Seed = Seed,
            Logprobs = Logprobs,
            TopLogprobs = Logprobs ? TopLogprobs : null,
            Choices = Choices,
            EndUser = EndUser,
            Stream = Stream,
            IncludeUsage = IncludeUsage,
            DialectOnly = DialectOnly,
        };
    }

    private void CheckTogether()
    {
        if (MaxTokens is { } older && MaxCompletionTokens is { } newer && older != newer)
            throw Refuse("max_tokens", $"'max_tokens' ({older}) and 'max_completion_tokens' ({newer}) disagree; give only 'max_completion_tokens'.");
        if (StreamOptions && !Stream)
            throw Refuse("stream_options", "'stream_options' has a meaning only with 'stream': true; add it, or remove 'stream_options'.");
        if (TopLogprobs > 0 && !Logprobs)
            throw Refuse("top_logprobs", "'top_logprobs' has a meaning only with 'logprobs': true; add it, or remove 'top_logprobs'.");
        if (ToolChoice is { Kind: ToolChoiceKind.Required or ToolChoiceKind.Named } && Tools.Count == 0 && !ForeignTools)
            throw Refuse("tool_choice", "'tool_choice' asks for a tool, and 'tools' gives none; add the tools, or remove 'tool_choice'.");
        if (ToolChoice is { Kind: ToolChoiceKind.Named, Name: var name } && !Tools.Exists(tool => tool.Name == name))
            throw Refuse("tool_choice.function.name", $"'tool_choice.function.name' is '{OpenAiFields.Brief(name!)}', which no function in 'tools' is called.");
    }

    private static RefusedException Refuse(string field, string message) => new(Refusal.Invalid(field, message));
}
