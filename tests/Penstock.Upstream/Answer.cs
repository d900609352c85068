using System.Text.RegularExpressions;

namespace Penstock.Upstream;

internal enum StepKind
{
    Thinking,
    Text,
    Refusal,
    CallStart,
    CallArguments,
}

/// <summary>One token of an answer: what a stream sends as one event.</summary>
/// <param name="Text">The piece; at a call's start the tool's name.</param>
/// <param name="Call">Counts the calls of a choice from 0.</param>
internal sealed record Step(StepKind Kind, int Choice, string Text, int Call = 0);

internal enum Ending
{
    Stop,
    StopSequence,
    Length,
    ToolCalls,
    Filter,
    Refusal,
}

/// <summary>What the model "says": always the same for the same request.</summary>
internal sealed partial record Answer(IReadOnlyList<Step> Steps, Ending Ending, string? StopSequence)
{
    public static Answer To(Ask ask)
    {
        if (CallsFor(ask) is { Count: > 0 } calls) return new Answer(ForAllChoices(ask, CallSteps(ask, calls)), Ending.ToolCalls, null);
        if (ask.Has("refuse")) return new Answer(ForAllChoices(ask, [.. Words.Pieces("I cannot help with that.").Select(piece => new Step(StepKind.Refusal, 0, piece))]), Ending.Refusal, null);

        var (text, ending, stop) = Shorten(ask, TextFor(ask));
        var steps = Words.Pieces(text).Select(piece => new Step(StepKind.Text, 0, piece));
        if (ask.Has("think")) steps = Words.Pieces("Let me think about it.").Select(piece => new Step(StepKind.Thinking, 0, piece)).Concat(steps);
        return new Answer(ForAllChoices(ask, [.. steps]), ask.Has("filter") ? Ending.Filter : ending, stop);
    }

    /// <summary>What a model plays that calls tools turn after turn.</summary>
    public static Answer Of(Ask ask, AgentSays says)
    {
        var text = Words.Pieces(says.Text).Select(piece => new Step(StepKind.Text, 0, piece));
        var calls = CallSteps(ask, [.. says.Calls]);
        IReadOnlyList<Step> steps = [.. text, .. calls];
        // A vendor ends where it is told to, in the midst of a call too.
        if (ask.MaxTokens is { } most && steps.Count > most) return new Answer([.. steps.Take(most)], Ending.Length, null);
        return new Answer(steps, says.Calls.Count > 0 ? Ending.ToolCalls : Ending.Stop, null);
    }

    public string TextOf(StepKind kind, int choice = 0) => string.Concat(Steps.Where(step => step.Kind == kind && step.Choice == choice).Select(step => step.Text));

    /// <summary>The calls of a choice with their whole arguments, empty text where there are none.</summary>
    public IReadOnlyList<(string Name, string Arguments)> CallsOf(int choice) =>
    [
        .. Steps.Where(step => step.Kind == StepKind.CallStart && step.Choice == choice).Select(start => (start.Text,
            string.Concat(Steps.Where(step => step.Kind == StepKind.CallArguments && step.Choice == choice && step.Call == start.Call).Select(step => step.Text)))),
    ];

    private static string TextFor(Ask ask)
    {
        if (ask.Find("huge") is { } huge) return Huge(huge.Value(0, 1_000_000));
        if (ask.Schema is { } schema) return SchemaSample.Of(schema);
        var said = Marker.Strip(ask.RawText);
        if (ask.Json) return SchemaSample.Write(json =>
        {
            json.WriteStartObject();
            json.WriteString("said", said);
            json.WriteEndObject();
        });
        if (ask.ToolResults.Count > 0) return "The tools said: " + string.Join(" | ", ask.ToolResults);
        if (ask.Find("slow")?.Option("tokens", 0) is > 0 and var tokens) return string.Join(' ', Enumerable.Range(1, tokens).Select(number => $"w{number}"));

        var text = "You said: " + said;
        if (ask.System.Length > 0) text += $" (system: {ask.System})";
        if (ask.Images.Count > 0) text += $" (images: {string.Join(", ", ask.Images)})";
        return text;
    }

    private static string Huge(int bytes)
    {
        const int Word = 1_000;
        var whole = string.Concat(Enumerable.Repeat(new string('x', Word - 1) + " ", (bytes / Word) + 1));
        return whole[..bytes];
    }

    private static (string Text, Ending Ending, string? Stop) Shorten(Ask ask, string text)
    {
        var (ending, stop) = (Ending.Stop, (string?)null);
        foreach (var candidate in ask.Stops)
        {
            var at = text.IndexOf(candidate, StringComparison.Ordinal);
            if (at < 0) continue;
            (text, ending, stop) = (text[..at], Ending.StopSequence, candidate);
        }

        var pieces = Words.Pieces(text);
        return ask.MaxTokens is { } max && pieces.Count > max ? (string.Concat(pieces.Take(max)), Ending.Length, null) : (text, ending, stop);
    }

    private static List<(string Name, string Arguments)> CallsFor(Ask ask)
    {
        if (ask.Tools.Count == 0 || ask.Pick == ToolPick.None || (ask.ToolResults.Count > 0 && ask.Pick == ToolPick.Auto)) return [];
        var text = Marker.Strip(ask.RawText);
        var tool = ask.Pick == ToolPick.Named
            ? ask.Tools.First(tool => tool.Name == ask.PickedTool)
            : ask.Tools.FirstOrDefault(tool => text.Contains(tool.Name.Split('_')[^1], StringComparison.OrdinalIgnoreCase)) ?? (ask.Pick == ToolPick.Required ? ask.Tools[0] : null);
        if (tool is null) return [];
        if (tool.Schema is not { } schema) return [(tool.Name, "")];
        var places = Places().Match(text) is { Success: true } match ? match.Groups[1].Value.Split(" and ") : ["Paris"];
        return [.. places.Take(ask.Parallel ? places.Length : 1).Select(place => (tool.Name, SchemaSample.Of(schema, place)))];
    }

    private static List<Step> CallSteps(Ask ask, List<(string Name, string Arguments)> calls)
    {
        var steps = new List<Step>();
        if (ask.Has("preamble")) steps.AddRange(Words.Pieces("Let me look.").Select(piece => new Step(StepKind.Text, 0, piece)));
        for (var call = 0; call < calls.Count; call++)
        {
            steps.Add(new Step(StepKind.CallStart, 0, calls[call].Name, call));
            steps.AddRange(Split(calls[call].Arguments).Select(piece => new Step(StepKind.CallArguments, 0, piece, call)));
        }

        return steps;
    }

    /// <summary>Pieces of five characters: no boundary of JSON is respected, as with real models.</summary>
    private static IEnumerable<string> Split(string arguments) => arguments.Chunk(5).Select(chars => new string(chars));

    /// <summary>Other choices say the same, and their number; the choices take turns.</summary>
    private static List<Step> ForAllChoices(Ask ask, List<Step> first) =>
    [
        .. first.SelectMany(step => Enumerable.Range(0, ask.Choices).Select(choice => step with { Choice = choice })),
        .. first.Exists(step => step.Kind == StepKind.Text)
            ? Enumerable.Range(1, ask.Choices - 1).Select(choice => new Step(StepKind.Text, choice, $" (choice {choice})"))
            : [],
    ];

    [GeneratedRegex(@"\bin (\p{L}+(?: and \p{L}+)*)")]
    private static partial Regex Places();
}
