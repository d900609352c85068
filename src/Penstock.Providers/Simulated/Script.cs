using Penstock.Gateway;
using Penstock.Providers.Local;

namespace Penstock.Providers.Simulated;

/// <summary>What a simulated answer will be: the updates that each of its tokens brings, and how it ends.</summary>
internal sealed record Script(IReadOnlyList<IReadOnlyList<ChatUpdate>> Tokens, FinishReason Reason, string? StopSequence)
{
    private const int TokensPerImage = 85;

    /// <summary>Each counts as one token.</summary>
    private static readonly string[] Vocabulary = [" This", " answer", " is", " simulated", ":", " water", " flows", " through", " the", " gate", " and", " turns", " the", " wheel", ",", " as", " it", " always", " does", "."];

    public static Script For(ProviderCall call, Pace pace, CancellationToken ct)
    {
        var most = call.MaxOutputTokens ?? call.Call.MaxOutputTokens;
        var tools = ToolsToCall(call.Call);
        if (tools.Count > 0) return OfCalls(call, tools, most, ct);
        var text = call.Call.ResponseFormat is { } format
            ? Json(call.Call, format.Schema, """{"simulated":true}""", ct)
            : string.Concat(Enumerable.Range(0, pace.Tokens).Select(index => Vocabulary[index % Vocabulary.Length]))[1..];
        var answer = LocalAnswer.Of(text, call.Call.Stop, most);
        return new Script([.. answer.Pieces.Select(piece => (ChatUpdate[])[new TextDelta(0, piece)])], answer.Reason, answer.StopSequence);
    }

    /// <summary>Text as the in-process providers count it, tools with it, and a fixed number for each image.</summary>
    public static long InputOf(ChatCall call) => call.Messages.Sum(message => message.Parts.Sum(InputOf))
        + call.Tools.Sum(tool => Pieces.Count(tool.Name) + Pieces.Count(tool.Description ?? "") + Pieces.Count(tool.Schema ?? ""));

    private static long InputOf(ChatPart part) => part switch
    {
        TextPart text => Pieces.Count(text.Text),
        RefusedPart refused => Pieces.Count(refused.Text),
        ThinkingPart thinking => Pieces.Count(thinking.Text),
        ToolCallPart call => Pieces.Count(call.Name) + Pieces.Count(call.Arguments),
        ToolResultPart result => result.Content.Sum(InputOf),
        ImagePart => TokensPerImage,
        _ => 0,
    };

    private static List<ToolDefinition> ToolsToCall(ChatCall call)
    {
        if (call.ToolChoice is not { Kind: ToolChoiceKind.Required or ToolChoiceKind.Named } choice) return [];
        var callable = call.Tools.Where(tool => choice.Kind == ToolChoiceKind.Required || tool.Name == choice.Name).ToList();
        if (callable.Count == 0 || call.ParallelToolCalls == false || !AsksForSeveral(call)) return [.. callable.Take(1)];
        return callable.Count > 1 ? callable : [callable[0], callable[0]];
    }

    private static bool AsksForSeveral(ChatCall call) =>
        call.Messages.LastOrDefault(message => message.Role == ChatRole.User)?.Text().Contains("parallel", StringComparison.OrdinalIgnoreCase) == true;

    private static Script OfCalls(ProviderCall call, List<ToolDefinition> tools, int? most, CancellationToken ct)
    {
        var tokens = new List<IReadOnlyList<ChatUpdate>>();
        for (var i = 0; i < tools.Count; i++)
        {
            var index = i;
            ChatUpdate started = new ToolCallStarted(0, index, $"call_{call.Attempt}_{index}", tools[index].Name);
            var pieces = Pieces.Of(tools[index].Schema is { } schema ? Json(call.Call, schema, "{}", ct) : "{}").Select(piece => new ToolCallDelta(0, index, piece)).ToList();
            tokens.Add([started, pieces[0]]);
            tokens.AddRange(pieces.Skip(1).Select(piece => (ChatUpdate[])[piece]));
        }

        return most < tokens.Count
            ? new Script([.. tokens.Take(most.Value)], FinishReason.Length, null)
            : new Script(tokens, FinishReason.ToolCalls, null);
    }

    private static string Json(ChatCall call, string? schema, string otherwise, CancellationToken ct)
    {
        if (schema is null) return otherwise;
        var prompt = new Prompt(call);
        return SchemaFill.Fill(schema, prompt, new Findings(prompt.User, ct), ct);
    }
}
