using System.Globalization;
using System.Text.Json;
using Penstock.Guards;
using Penstock.Kernel;

namespace Penstock.Gateway.Guarding;

/// <summary>One text of a stream that clients put together from its pieces.</summary>
/// <param name="Field">The member of <c>delta</c> it stands in.</param>
/// <param name="Call">The tool call's index, -1 for any other text.</param>
internal readonly record struct OpenAiPlace(int Choice, string Field, int Call = -1)
{
    private bool Called => Field is "tool_calls" or "function_call";

    /// <summary>A text is over for the time being when another kind goes on in its choice. Calls may take turns.</summary>
    public bool EndsBefore(IEnumerable<OpenAiPlace> next)
    {
        var mine = this;
        return !Called && next.Any(place => place.Field != mine.Field);
    }

    /// <summary>A chunk like <paramref name="like"/> with nothing but this text in it.</summary>
    public byte[] Chunk(ReadOnlySpan<byte> like, string text)
    {
        var quoted = JsonEdits.Quote(text);
        var said = Field switch
        {
            "tool_calls" => string.Create(CultureInfo.InvariantCulture, $$$"""[{"index":{{{Call}}},"function":{"arguments":{{{quoted}}}}}]"""),
            "function_call" => $$"""{"arguments":{{quoted}}}""",
            _ => quoted,
        };
        var delta = $"{{\"{Field}\":{said}}}";
        var choices = string.Create(CultureInfo.InvariantCulture, $$"""[{"index":{{Choice}},"delta":{{delta}},"logprobs":null,"finish_reason":null}]""");
        return JsonSplice.Apply(like, [new("choices", choices), new("usage", null)]);
    }

    public ChatUpdate Update(string text) => Field switch
    {
        "content" => new TextDelta(Choice, text),
        "refusal" => new RefusalDelta(Choice, text),
        "tool_calls" => new ToolCallDelta(Choice, Call, text),
        "function_call" => new ToolCallDelta(Choice, 0, text),
        _ => new ThinkingDelta(text),
    };
}

/// <summary>What is known of one such text so far.</summary>
internal sealed class OpenAiText(OpenAiPlace place, GuardRules rules, GuardTally tally)
{
    private readonly GuardScan? _text = place.Field is "tool_calls" or "function_call" ? null : new GuardScan(rules, tally);
    private readonly ArgumentsScan _arguments = new(rules, tally);

    public string Piece(string text) => _text is null ? _arguments.Piece(text) : _text.Piece(text);

    public string End() => _text is null ? _arguments.End() : _text.Take(final: true);
}

/// <summary>A piece that came in one chunk, and what may be shown in its place.</summary>
internal sealed record OpenAiPiece(JsonElement Value, string Said, string Shown, OpenAiPiece? Earlier)
{
    public void Write(JsonEdits edits)
    {
        Earlier?.Write(edits);
        if (Shown != Said) edits.Replace(Value, JsonEdits.Quote(Shown));
    }
}
