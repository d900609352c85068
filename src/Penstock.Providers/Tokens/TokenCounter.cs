using Penstock.Gateway;

namespace Penstock.Providers.Tokens;

/// <summary>Counts what a request's input will be metered as, before it is sent.</summary>
internal sealed class TokenCounter(Tokenizers tokenizers) : ITokenCounter, IDisposable
{
    // OpenAI's chat framing: each message is wrapped in three tokens, a name costs one more, and the answer is primed with three.
    private const int PerMessage = 3;
    private const int PerName = 1;
    private const int Priming = 3;

    /// <summary>Framing of one tool in the system text it is rendered into, by comparison with metered calls.</summary>
    private const int PerTool = 8;
    private const int ToolPreamble = 12;

    /// <summary>Nobody's public tokenizer is Claude's; it makes about a fifth more tokens of the same text.</summary>
    private const double ClaudePerNearest = 1.2;

    /// <summary>What this thread counted last.</summary>
    private readonly ThreadLocal<Counted> _last = new(() => new Counted());

    /// <summary>
    /// Exact for text alone on models whose tokenizer and framing are public; else an estimate.
    /// </summary>
    public TokenCount Count(ChatCall call, string model)
    {
        // Money and limits ask one after the other, and a long prompt takes a while.
        var last = _last.Value!;
        if (!last.Is(call, model)) last.Set(call, model, CountAnew(call, model));
        return last.Count;
    }

    private TokenCount CountAnew(ChatCall call, string model)
    {
        long tokens = Priming;
        // A field we do not model may be input too: functions, another kind of tool.
        var exact = FramingIsPublic(model) && call.Tools.Count == 0 && call.ResponseFormat is null && call.DialectOnly.Count == 0;
        foreach (var message in call.Messages)
        {
            tokens += PerMessage + Add(RoleOf(message.Role), model, ref exact);
            if (message.Name is { } name) tokens += PerName + Add(name, model, ref exact);
            // How several parts of one message are joined is not public.
            exact &= message.Parts is [TextPart];
            foreach (var part in message.Parts) tokens += part is TextPart text ? Add(text.Text, model, ref exact) : CountPart(part, model);
        }

        if (call.Tools.Count > 0) tokens += ToolPreamble;
        foreach (var tool in call.Tools) tokens += PerTool + CountText(tool.Name, model) + CountText(tool.Description ?? "", model) + CountText(tool.Schema ?? "", model);
        if (call.ResponseFormat?.Schema is { } schema) tokens += CountText(schema, model);
        return new TokenCount(tokens, exact);
    }

    /// <summary>Tokens of a text by itself; an estimate where the model's tokenizer is not public.</summary>
    public long CountText(string text, string model) => CountOf(text, model).Tokens;

    /// <summary>
    /// What the input cannot exceed: no tokenizer makes more than one token of a byte. Null where no bound is known, because a part's size
    /// does not show in the request (a document or sound); the model's context window bounds it then.
    /// </summary>
    public long? UpperBound(ChatCall call, string model)
    {
        var count = Count(call, model);
        return count.Exact ? count.Tokens : InputBound.Of(call, model);
    }

    public void Dispose() => _last.Dispose();

    private static bool FramingIsPublic(string model) => Tokenizers.RulesOf(model) is not null
        && Tokenizers.StartsWithAny(model, "gpt-4o", "gpt-4", "gpt-3.5");

    private static string RoleOf(ChatRole role) => role switch
    {
        ChatRole.System => "system",
        ChatRole.User => "user",
        ChatRole.Assistant => "assistant",
        _ => "tool",
    };

    private long Add(string text, string model, ref bool exact)
    {
        var count = CountOf(text, model);
        exact &= count.Exact;
        return count.Tokens;
    }

    private long CountPart(ChatPart part, string model) => part switch
    {
        TextPart text => CountText(text.Text, model),
        RefusedPart refused => CountText(refused.Text, model),
        ThinkingPart thinking => CountText(thinking.Text, model),
        ImagePart image => InputBound.ImageEstimate(image, model),
        ToolCallPart called => PerTool + CountText(called.Name, model) + CountText(called.Arguments, model),
        ToolResultPart result => PerMessage + result.Content.Sum(inner => CountPart(inner, model)),
        RedactedThinkingPart redacted => redacted.Data.Length / 4,
        _ => 0,
    };

    private TokenCount CountOf(string text, string model)
    {
        if (text.Length == 0) return new TokenCount(0, true);
        if (tokenizers.ForModel(model) is { } tokenizer) return tokenizer.Count(text);
        if (tokenizers.Nearest is not { } nearest) return new TokenCount(RuleOfThumb(text), false);
        var claude = model.Contains("claude", StringComparison.OrdinalIgnoreCase);
        return new TokenCount((long)Math.Ceiling(nearest.Count(text).Tokens * (claude ? ClaudePerNearest : 1)), false);
    }

    private sealed class Counted
    {
        private readonly WeakReference<ChatCall?> _call = new(null);
        private string? _model;

        public TokenCount Count { get; private set; }

        public bool Is(ChatCall call, string model) => _call.TryGetTarget(out var counted) && ReferenceEquals(counted, call) && _model == model;

        public void Set(ChatCall call, string model, TokenCount count)
        {
            _call.SetTarget(call);
            (_model, Count) = (model, count);
        }
    }

    /// <summary>Four letters of Latin text to a token, one of any other script.</summary>
    private static long RuleOfThumb(string text)
    {
        long quarters = 0;
        foreach (var rune in text.EnumerateRunes()) quarters += rune.IsAscii ? 1 : rune.Value < 0x0250 ? 2 : 4;
        return (quarters + 3) / 4;
    }
}
