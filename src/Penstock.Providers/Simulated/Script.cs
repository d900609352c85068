using Penstock.Gateway;
using Penstock.Providers.Local;

namespace Penstock.Providers.Simulated;

/// <summary>What a simulated answer will be.</summary>
internal static class Script
{
    /// <summary>Each counts as one token.</summary>
    private static readonly string[] Vocabulary = [" This", " answer", " is", " simulated", ":", " water", " flows", " through", " the", " gate", " and", " turns", " the", " wheel", ",", " as", " it", " always", " does", "."];

    public static LocalAnswer For(ProviderCall call, Pace pace, CancellationToken ct)
    {
        var most = call.MaxOutputTokens ?? call.Call.MaxOutputTokens;
        var calls = ScriptedCalls.Next(call.Call);
        if (calls.Count == 0) calls = [.. ToolsToCall(call.Call).Select(tool => new MadeCall(tool.Name, tool.Schema is { } schema ? Json(call.Call, schema, "{}", ct) : "{}"))];
        if (calls.Count > 0) return LocalAnswer.Of(calls, call, most);
        var text = call.Call.ResponseFormat is { } format
            ? Json(call.Call, format.Schema, """{"simulated":true}""", ct)
            : string.Concat(Enumerable.Range(0, pace.Tokens).Select(index => Vocabulary[index % Vocabulary.Length]))[1..];
        return LocalAnswer.Of(text, call.Call.Stop, most);
    }

    private static List<ToolDefinition> ToolsToCall(ChatCall call)
    {
        if (call.ToolChoice is not { Kind: ToolChoiceKind.Required or ToolChoiceKind.Named } choice) return [];
        var callable = call.Tools.Where(tool => choice.Kind == ToolChoiceKind.Required || tool.Name == choice.Name).ToList();
        if (callable.Count == 0 || call.ParallelToolCalls == false || !AsksForSeveral(call)) return [.. callable.Take(1)];
        return callable.Count > 1 ? callable : [callable[0], callable[0]];
    }

    private static bool AsksForSeveral(ChatCall call) =>
        call.Messages.LastOrDefault(message => message.Role == ChatRole.User)?.Text().Contains("parallel", StringComparison.OrdinalIgnoreCase) == true;

    private static string Json(ChatCall call, string? schema, string otherwise, CancellationToken ct)
    {
        if (schema is null) return otherwise;
        var prompt = new Prompt(call);
        return SchemaFill.Fill(schema, prompt, new Findings(prompt.User, ct), ct);
    }
}
