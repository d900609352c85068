using System.Globalization;
using System.Text;
using Penstock.Gateway;

namespace Penstock.Tests.Gateway.Wire.OpenAi;

/// <summary>A call as text, so that two can be compared whole and a difference be read.</summary>
internal static class CallText
{
    public static string Of(ChatCall call)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{call.Dialect} {call.Model} stream={call.Stream} usage={call.IncludeUsage} n={call.Choices} max={call.MaxOutputTokens} user={call.EndUser}");
        text.AppendLine(CultureInfo.InvariantCulture, $"t={call.Temperature} p={call.TopP} k={call.TopK} f={call.FrequencyPenalty} pr={call.PresencePenalty} seed={call.Seed} log={call.Logprobs} top={call.TopLogprobs}");
        text.AppendLine(CultureInfo.InvariantCulture, $"stop=[{string.Join('|', call.Stop)}] parallel={call.ParallelToolCalls} choice={call.ToolChoice?.Kind} {call.ToolChoice?.Name}");
        if (call.ResponseFormat is { } format) text.AppendLine(CultureInfo.InvariantCulture, $"format {format.Name} {format.Strict} '{format.Description}' {format.Schema}");
        foreach (var tool in call.Tools) text.AppendLine(CultureInfo.InvariantCulture, $"tool {tool.Name} {tool.Strict} '{tool.Description}' {tool.Schema}");
        foreach (var message in call.Messages) text.AppendLine(Of(message));
        foreach (var path in call.DialectOnly) text.AppendLine(CultureInfo.InvariantCulture, $"only {path}");
        return text.ToString().ReplaceLineEndings("\n").TrimEnd();
    }

    public static string Of(ChatMessage message) =>
        $"{message.Role}{(message.Name is null ? "" : $" ({message.Name})")}: {string.Join("; ", message.Parts.Select(Of))}";

    private static string Of(ChatPart part) => part switch
    {
        TextPart text => $"text '{text.Text}'",
        ImagePart image => $"image {image.Url} {image.MediaType} {image.Data} {image.Detail}",
        ToolCallPart call => $"call {call.Id} {call.Name} {call.Arguments}",
        ToolResultPart result => $"result {result.CallId} {(result.IsError ? "failed " : "")}[{string.Join("; ", result.Content.Select(Of))}]",
        RefusedPart refused => $"refused '{refused.Text}'",
        ThinkingPart thinking => $"thinking '{thinking.Text}' {thinking.Signature}",
        _ => part.ToString(),
    };
}
