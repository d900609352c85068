using System.Collections.Frozen;
using System.Text.Json;
using Penstock.Guards;
using Penstock.Kernel;

namespace Penstock.Gateway.Guarding;

/// <summary>
/// Rules on the bytes of an OpenAI provider for an OpenAI client: texts inside its chunks are changed where a match is, and nothing else. What a chunk's text holds
/// back goes out with a later chunk's, or, before the choice ends or goes on with something else, in a chunk of its own.
/// </summary>
internal sealed class OpenAiGuard(GuardRules rules, GuardTally tally, UpdateGuard means) : AnswerGuard(tally)
{
    /// <summary>Ids and settings. Probabilities of tokens spell the text again, and are left out instead.</summary>
    private static readonly FrozenSet<string> NoText = FrozenSet.Create(
        "call_id", "container", "encrypted_content", "file_id", "finish_reason", "format", "id", "model", "name", "native_finish_reason", "object", "role", "service_tier", "signature", "system_fingerprint", "type", "url");

    private readonly Dictionary<OpenAiPlace, OpenAiText> _texts = [];

    public override IReadOnlyList<ProviderFrame> Pass(in ProviderFrame frame)
    {
        if (frame.Data.IsEmpty) return PassMeant(frame);
        if (Blocked) return PassBlocked(frame);

        using var chunk = JsonDocument.Parse(frame.Data);
        var edits = new JsonEdits(frame.Data);
        var frames = new List<ProviderFrame>(2);
        new TextWalk(rules, Tally, edits, NoText).WalkMembers(chunk.RootElement, "choices");
        if (chunk.RootElement.TryGetProperty("choices", out var choices) && choices.ValueKind == JsonValueKind.Array)
        {
            var position = 0;
            foreach (var choice in choices.EnumerateArray()) ReadChoice(choice, position++, edits, frame, frames);
        }

        if (Blocked && frame.Updates.Any(update => update is Finished)) return [.. frames, .. PassBlocked(frame)];
        frames.Add(frame with { Data = edits.Apply() });
        return frames;
    }

    public override ProviderFrame Whole(in ProviderFrame frame)
    {
        if (frame.Data.IsEmpty) return means.Whole(frame);
        using var answer = JsonDocument.Parse(frame.Data);
        var edits = new JsonEdits(frame.Data);
        new TextWalk(rules, Tally, edits, [.. NoText, "logprobs"]).Walk(answer.RootElement);
        if (Blocked) return frame with { Data = Cut(frame.Data, frame.Updates, "message", "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}") };
        foreach (var choice in answer.RootElement.GetProperty("choices").EnumerateArray()) LeaveOutProbabilities(choice, edits);
        return frame with { Data = edits.Apply() };
    }

    /// <summary>The end of a stream, or an answer that a server gave at once.</summary>
    private List<ProviderFrame> PassMeant(in ProviderFrame frame)
    {
        var rest = new List<ChatUpdate>();
        foreach (var (place, text) in _texts)
        {
            if (text.End() is { Length: > 0 } end) rest.Add(place.Update(end));
        }

        var frames = new List<ProviderFrame>(2);
        if (rest.Count > 0) frames.Add(new ProviderFrame(null, default, rest));
        frames.Add(means.Pass(frame)[0]);
        return frames;
    }

    /// <summary>After a block, only ends and counts go on.</summary>
    private static ProviderFrame[] PassBlocked(in ProviderFrame frame)
    {
        if (!frame.Updates.Any(update => update is Finished or UsageReported)) return [];
        return [frame with { Data = Cut(frame.Data, frame.Updates, "delta", "{}") }];
    }

    private static byte[] Cut(ReadOnlyMemory<byte> data, IReadOnlyList<ChatUpdate> updates, string part, string said)
    {
        var ends = updates.OfType<Finished>().Select(finished => $$"""{"index":{{finished.Choice}},"{{part}}":{{said}},"logprobs":null,"finish_reason":"content_filter"}""");
        return JsonSplice.Apply(data.Span, [new("choices", $"[{string.Join(',', ends)}]")]);
    }

    private void ReadChoice(JsonElement choice, int position, JsonEdits edits, in ProviderFrame frame, List<ProviderFrame> before)
    {
        var index = choice.TryGetProperty("index", out var given) && given.TryGetInt32(out var number) ? number : position;
        LeaveOutProbabilities(choice, edits);
        new TextWalk(rules, Tally, edits, NoText).WalkMembers(choice, "delta", "logprobs");
        var pieces = new Dictionary<OpenAiPlace, OpenAiPiece>();
        if (choice.TryGetProperty("delta", out var delta) && delta.ValueKind == JsonValueKind.Object) ReadDelta(delta, index, edits, pieces);

        var finished = choice.TryGetProperty("finish_reason", out var reason) && reason.ValueKind == JsonValueKind.String;
        foreach (var (place, text) in _texts)
        {
            if (place.Choice != index || !(finished || place.EndsBefore(pieces.Keys)) || text.End() is not { Length: > 0 } rest) continue;
            if (pieces.TryGetValue(place, out var piece)) pieces[place] = piece with { Shown = piece.Shown + rest };
            else before.Add(new ProviderFrame(null, place.Chunk(frame.Data.Span, rest), []));
        }

        foreach (var piece in pieces.Values) piece.Write(edits);
    }

    private void ReadDelta(JsonElement delta, int choice, JsonEdits edits, Dictionary<OpenAiPlace, OpenAiPiece> pieces)
    {
        var other = new TextWalk(rules, Tally, edits, NoText);
        foreach (var member in delta.EnumerateObject())
        {
            switch (member.Name)
            {
                case "content" or "refusal" or "reasoning_content" or "reasoning" when member.Value.ValueKind == JsonValueKind.String:
                    Read(member.Value, new OpenAiPlace(choice, member.Name), pieces);
                    break;
                case "content" when member.Value.ValueKind == JsonValueKind.Array:
                    foreach (var part in member.Value.EnumerateArray())
                    {
                        if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String) Read(text, new OpenAiPlace(choice, "content"), pieces);
                    }

                    break;
                case "tool_calls" when member.Value.ValueKind == JsonValueKind.Array:
                    var position = 0;
                    foreach (var call in member.Value.EnumerateArray()) ReadCall(call, choice, position++, pieces);
                    break;
                case "function_call" when member.Value.ValueKind == JsonValueKind.Object:
                    ReadArguments(member.Value, "arguments", new OpenAiPlace(choice, "function_call"), pieces);
                    break;
                case "role":
                    break;
                default:
                    other.Walk(member.Value);
                    break;
            }
        }
    }

    private void ReadCall(JsonElement call, int choice, int position, Dictionary<OpenAiPlace, OpenAiPiece> pieces)
    {
        var index = call.TryGetProperty("index", out var given) && given.TryGetInt32(out var number) ? number : position;
        if (call.TryGetProperty("function", out var function)) ReadArguments(function, "arguments", new OpenAiPlace(choice, "tool_calls", index), pieces);
        if (call.TryGetProperty("custom", out var custom)) ReadArguments(custom, "input", new OpenAiPlace(choice, "tool_calls", index), pieces);
    }

    private void ReadArguments(JsonElement function, string name, OpenAiPlace place, Dictionary<OpenAiPlace, OpenAiPiece> pieces)
    {
        if (function.ValueKind == JsonValueKind.Object && function.TryGetProperty(name, out var arguments) && arguments.ValueKind == JsonValueKind.String) Read(arguments, place, pieces);
    }

    private void Read(JsonElement value, OpenAiPlace place, Dictionary<OpenAiPlace, OpenAiPiece> pieces)
    {
        if (!_texts.TryGetValue(place, out var text)) _texts[place] = text = new OpenAiText(place, rules, Tally);
        var said = JsonEdits.TextOf(value);
        var shown = text.Piece(said);
        // A text in several parts: what was held back goes on in the next.
        if (pieces.TryGetValue(place, out var earlier)) pieces[place] = new OpenAiPiece(value, said, shown, earlier);
        else pieces[place] = new OpenAiPiece(value, said, shown, null);
    }

    private static void LeaveOutProbabilities(JsonElement choice, JsonEdits edits)
    {
        if (choice.TryGetProperty("logprobs", out var tokens) && tokens.ValueKind == JsonValueKind.Object) edits.Replace(tokens, "null");
    }
}
