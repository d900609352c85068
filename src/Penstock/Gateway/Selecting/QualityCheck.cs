using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.Gateway.Wire;

namespace Penstock.Gateway.Selecting;

/// <summary>Looks at a whole answer of a small model. It knows form and not truth, and the same answer always fares the same.</summary>
internal static partial class QualityCheck
{
    /// <summary>What is wrong with the answer, in a few words; null where nothing is.</summary>
    public static string? Problem(CheckSettings check, ChatCall call, AnswerFold answer)
    {
        var choice = answer.First;
        if (choice.Refusal is not null || choice.Reason == FinishReason.ContentFilter || Declines().IsMatch(choice.Text)) return "it declined";
        if (choice.Reason == FinishReason.Length) return "it was cut off";
        if (choice.ToolCalls.Count > 0) return null;
        if (string.IsNullOrWhiteSpace(choice.Text)) return "it was empty";
        if (call.ResponseFormat is { } format) return Misfit(format, choice.Text);

        var words = Words().Count(choice.Text);
        if (words < check.LeastWords) return "it was too short";
        if (words > check.MostWords) return "it was too long";
        return Overlap(call, choice.Text) < check.Overlap ? "it was about something else" : null;
    }

    private static string? Misfit(ResponseFormat format, string text)
    {
        try
        {
            using var answer = JsonDocument.Parse(text);
            if (format.Schema is null) return answer.RootElement.ValueKind == JsonValueKind.Object ? null : "it was no JSON object";
            using var schema = JsonDocument.Parse(format.Schema);
            return SchemaFit.Fits(answer.RootElement, schema.RootElement) ? null : "it did not fit its schema";
        }
        catch (JsonException)
        {
            return "it was no JSON";
        }
    }

    private static double Overlap(ChatCall call, string answer)
    {
        var given = call.Messages.SelectMany(message => Words().Matches(message.Text())).Select(word => word.Value.ToLowerInvariant()).ToHashSet();
        var said = Words().Matches(answer).Select(word => word.Value.ToLowerInvariant()).Where(word => word.Length >= 4).ToArray();
        return said.Length == 0 ? 0 : (double)said.Count(given.Contains) / said.Length;
    }

    [GeneratedRegex(@"^\s*(I'?m sorry|I am sorry|Sorry,|I can(no|')t|I am (not able|unable)|I'm (not able|unable)|As an AI)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Declines();

    [GeneratedRegex(@"[\p{L}\p{N}]+", RegexOptions.CultureInvariant)]
    private static partial Regex Words();
}
