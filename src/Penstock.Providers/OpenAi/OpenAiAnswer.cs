using System.Text.Json;
using Penstock.Gateway;
using Penstock.Providers.Http;
using Penstock.Usage;

namespace Penstock.Providers.OpenAi;

/// <summary>Reads one answer of <c>POST /chat/completions</c>: a whole one, or its chunks one after the other.</summary>
internal sealed class OpenAiAnswer(ProviderCall call, OpenAiFaults faults)
{
    private readonly SortedDictionary<int, OpenAiChoice> _choices = [];
    private bool _started;
    private string? _priceClass;
    private UsageReported? _usage;

    private bool Complete => _choices.Count > 0 && _choices.Values.All(choice => choice.Finished);

    /// <param name="asStream">
    /// The client asked for a stream and the server answered at once: its bytes are no chunk, so the frame has only updates.
    /// </param>
    public ProviderFrame Whole(ReadOnlyMemory<byte> body, bool asStream)
    {
        var updates = Understand(body, "message", isError: false);
        if (_choices.Count == 0) throw faults.Broken("sent an answer without choices");
        foreach (var choice in _choices.Values) choice.Finish(null, updates);
        return new ProviderFrame(null, asStream ? default : body, updates, Last: true);
    }

    /// <summary>Null where the event says nothing at all.</summary>
    public ProviderFrame? Read(UpstreamEvent chunk)
    {
        if (chunk.Data.AsSpan().Trim(" \t"u8).IsEmpty) return null;
        return chunk.Data.AsSpan().Trim(" \t"u8).SequenceEqual("[DONE]"u8)
            ? Done()
            : new ProviderFrame(null, chunk.Data, Understand(chunk.Data, "delta", isError: chunk.Name == "error"));
    }

    /// <summary>The connection ended without <c>[DONE]</c>; servers that never send it are believed once every choice has finished.</summary>
    public ProviderFrame Ended() => Complete && _choices.Count >= call.Call.Choices ? Done() : throw faults.CutShort();

    private ProviderFrame Done()
    {
        if (_choices.Count == 0) throw faults.Broken("ended its stream without an answer");
        var updates = new List<ChatUpdate>();
        foreach (var choice in _choices.Values) choice.Finish(null, updates);
        if (_usage is { Final: false } usage) updates.Add(usage with { Final = true });
        return new ProviderFrame(null, default, updates, Last: true);
    }

    private List<ChatUpdate> Understand(ReadOnlyMemory<byte> data, string part, bool isError)
    {
        try
        {
            using var document = JsonDocument.Parse(data);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw faults.Broken("sent an answer that is not a JSON object");
            if (ErrorIn(root) is { } error) throw faults.InBand(error);
            if (isError) throw faults.InBand(root);
            return Updates(root, part);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw faults.Broken("sent an answer that is not valid JSON", e);
        }
    }

    private static JsonElement? ErrorIn(JsonElement root) => OpenAiText.Member(root, "error") switch
    {
        { ValueKind: JsonValueKind.Object } error when error.GetPropertyCount() > 0 => error,
        { ValueKind: JsonValueKind.String } error when OpenAiText.Of(error).Length > 0 => error,
        { ValueKind: JsonValueKind.True } error => error,
        _ => null,
    };

    private List<ChatUpdate> Updates(JsonElement root, string part)
    {
        var updates = new List<ChatUpdate>();
        var choices = OpenAiText.Member(root, "choices");
        Start(root, choices, updates);
        if (choices is { ValueKind: JsonValueKind.Array } array)
        {
            var position = 0;
            foreach (var choice in array.EnumerateArray()) ReadChoice(choice, position++, part, updates);
        }

        if (OpenAiText.String(root, "service_tier") is { } tier) _priceClass = OpenAiUsage.PriceClass(tier);
        if (OpenAiText.Member(root, "usage") is { } usage && OpenAiUsage.Read(usage) is { } counts) Report(counts, updates);
        return updates;
    }

    // Some servers open with a chunk that has neither id nor choices: the answer starts after it.
    private void Start(JsonElement root, JsonElement? choices, List<ChatUpdate> updates)
    {
        var id = OpenAiText.String(root, "id") ?? "";
        if (_started || (id.Length == 0 && choices is not { ValueKind: JsonValueKind.Array })) return;
        if (id.Length == 0 && choices!.Value.GetArrayLength() == 0) return;
        _started = true;
        updates.Add(new AnswerStarted(id, OpenAiText.String(root, "model") is { Length: > 0 } model ? model : call.Model));
    }

    private void ReadChoice(JsonElement element, int position, string part, List<ChatUpdate> updates)
    {
        var index = OpenAiText.Index(element, "index") ?? position;
        if (!_choices.TryGetValue(index, out var choice)) _choices[index] = choice = new OpenAiChoice(index, call.Attempt);
        if (OpenAiText.Member(element, part) is { } said) choice.Read(said, updates);
        if (OpenAiText.String(element, "finish_reason") is not { Length: > 0 } reason) return;
        if (reason == "error") throw faults.Broken("reported that its answer failed");
        choice.Finish(reason, updates);
    }

    private void Report(TokenCounts counts, List<ChatUpdate> updates)
    {
        _usage = new UsageReported(counts, Complete, _priceClass);
        updates.Add(_usage);
    }
}
