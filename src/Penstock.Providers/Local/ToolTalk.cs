using System.Text.Json;
using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>A tool call of the conversation and what came of it.</summary>
/// <param name="Output">The result as JSON; null where it is none.</param>
internal sealed record PastCall(string Name, string Arguments, string Result, JsonElement? Output, bool Failed)
{
    public string? Text(string member) => Output is { } output && output.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>A piece that a search answered with, or a page that was fetched.</summary>
/// <param name="Citation">How it is cited; empty where it has no name.</param>
internal sealed record Source(string Citation, string DocId, string? Title, string? Uri, string Text);

/// <summary>The tool calls of a conversation, and what they found.</summary>
internal sealed class ToolTalk
{
    private const int LongestFailure = 300;

    public ToolTalk(ChatCall call)
    {
        var results = call.Messages.SelectMany(message => message.Parts).OfType<ToolResultPart>().GroupBy(result => result.CallId).ToDictionary(same => same.Key, same => same.ToList());
        var taken = new Dictionary<string, int>();
        foreach (var made in call.Messages.SelectMany(message => message.Parts).OfType<ToolCallPart>())
        {
            // An id may come again in a later turn; results come in the order of their calls.
            var number = taken[made.Id] = taken.GetValueOrDefault(made.Id) + 1;
            var result = results.TryGetValue(made.Id, out var same) && same.Count >= number ? same[number - 1] : null;
            var text = string.Join('\n', result?.Content.OfType<TextPart>().Select(part => part.Text) ?? []);
            Calls.Add(new PastCall(made.Name, made.Arguments, text, AgentTask.ObjectOf(text), result?.IsError == true));
        }

        Sources = [.. Calls.Where(made => !made.Failed).SelectMany(SourcesOf).DistinctBy(source => (source.Citation, source.Text))];
    }

    public List<PastCall> Calls { get; } = [];

    public IReadOnlyList<Source> Sources { get; }

    public bool Called(string name) => Calls.Exists(made => made.Name == name);

    public bool Called(string name, JsonElement arguments) => Calls.Exists(made => made.Name == name && AgentTask.ObjectOf(made.Arguments) is { } before && JsonElement.DeepEquals(before, arguments));

    /// <summary>The last call of this name that did not fail; null where there is none.</summary>
    public PastCall? Last(string name) => Calls.FindLast(made => made.Name == name && !made.Failed);

    /// <summary>What was asked for and did not come, in words.</summary>
    public IEnumerable<string> Lacks()
    {
        foreach (var made in Calls)
        {
            if (made.Failed) yield return $"{made.Name} failed: {AgentTask.Cut(made.Result.ReplaceLineEndings(" ").Trim(), LongestFailure)}";
            else if (made.Name == "search" && !SourcesOf(made).Any()) yield return $"search found nothing for \"{(AgentTask.ObjectOf(made.Arguments) is { } arguments && arguments.TryGetProperty("query", out var query) ? query.ToString() : "")}\"";
        }
    }

    private static IEnumerable<Source> SourcesOf(PastCall made)
    {
        if (made.Output is not { } output)
        {
            // Words of a tool that names no source.
            if (made.Name is "search" or "http_fetch" && made.Result.Trim() is { Length: > 0 } words) yield return new Source("", "", null, null, words);
            yield break;
        }

        if (output.TryGetProperty("results", out var results) && results.ValueKind == JsonValueKind.Array)
        {
            foreach (var result in results.EnumerateArray().Where(result => result.ValueKind == JsonValueKind.Object))
            {
                var (document, chunk) = (Text(result, "docId") ?? "", Text(result, "chunkId") ?? "");
                var citation = chunk.Contains('#', StringComparison.Ordinal) || document.Length == 0 ? chunk : $"{document}#{chunk}";
                if (citation.Length > 0 && (Text(result, "snippet") ?? Text(result, "text")) is { Length: > 0 } text) yield return new Source(citation, document, Text(result, "title"), Text(result, "uri"), text);
            }
        }
        else if (made.Text("url") is { } url && made.Text("text") is { Length: > 0 } page)
        {
            yield return new Source(url, url, made.Text("title"), url, page);
        }
    }

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
