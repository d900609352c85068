using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Local;
using Penstock.Tools.Search;
using Xunit;

namespace Penstock.Tests.Providers.Local;

/// <summary>Carries a conversation with tools to its end, as an agent's run does.</summary>
internal sealed class ToolTalks
{
    public static readonly ToolDefinition Search = new("search", "Finds", new SearchTool().Spec.Input.ToString());
    public static readonly ToolDefinition Summarize = new("summarize", "Sums up", """{"type":"object","properties":{"text":{"type":"string","minLength":1},"sentences":{"type":"integer"}},"required":["text"],"additionalProperties":false}""");
    public static readonly ToolDefinition Extract = new("extract", "Extracts", """{"type":"object","properties":{"text":{"type":"string","minLength":1},"fields":{"type":"array","minItems":1,"uniqueItems":true,"items":{"type":"string"}},"schema":{"type":"object"}},"required":["text"],"oneOf":[{"required":["fields"]},{"required":["schema"]}],"additionalProperties":false}""");
    public static readonly ToolDefinition Classify = new("classify", "Chooses", """{"type":"object","properties":{"text":{"type":"string","minLength":1},"labels":{"type":"array","minItems":2,"items":{"type":"string"}},"multiple":{"type":"boolean"}},"required":["text","labels"],"additionalProperties":false}""");
    public static readonly ToolDefinition Escalate = new("escalate", "Asks", """{"type":"object","properties":{"question":{"type":"string","minLength":1,"maxLength":60}},"required":["question"],"additionalProperties":false}""");
    public static readonly ToolDefinition Fetch = new("http_fetch", "Reads", """{"type":"object","properties":{"url":{"type":"string"}},"required":["url"],"additionalProperties":false}""");

    public static readonly SearchedText[] Energy =
    [
        new("iea", "Outlook", "https://iea.test/outlook", "Renewable energy grew fast. Solar capacity grew by 24 percent in 2025. Wind turbines became cheaper by 3 percent."),
        new("grid", null, null, "Batteries store renewable energy for the evening. A battery project cost $12 million and was finished on 3 May 2025."),
        new("tea", null, null, "Green tea is brewed at 80 degrees."),
    ];

    private readonly List<ChatMessage> _messages = [];

    public List<(string Name, JsonElement Arguments)> Calls { get; } = [];

    /// <summary>How many calls each turn made.</summary>
    public List<int> Turns { get; } = [];

    public string Answer { get; private set; } = "";

    /// <summary>What search finds in; none where it is not configured.</summary>
    public IReadOnlyList<SearchedText> Documents { get; init; } = [];

    /// <summary>A tool's answer in the place of the usual one; null fails it.</summary>
    public Func<string, JsonElement, string?>? Answers { get; init; }

    public ChatCall Last { get; private set; } = null!;

    public async Task<ToolTalks> RunAsync(string input, ToolDefinition[] tools, string? schema = null, Func<ChatCall, ChatCall>? change = null, IChatProvider? provider = null)
    {
        _messages.Add(new ChatMessage(ChatRole.System, [new TextPart("You research. Summarise, extract and classify into good or bad: use tools.")]));
        _messages.Add(new ChatMessage(ChatRole.User, [new TextPart(input)]));
        for (var turn = 0; turn < 20; turn++)
        {
            var call = new ChatCall { Dialect = Dialect.Native, Model = "local", Messages = [.. _messages], Tools = tools, Stream = turn % 2 == 1, ResponseFormat = schema is null ? null : new ResponseFormat("out", schema) };
            Last = change?.Invoke(call) ?? call;
            var fold = await Asking.Whole(provider ?? Asking.Provider, new ProviderCall(Last, provider is null ? "local" : "simulated", null, new AttemptId($"att_{turn}")));
            if (fold.First.ToolCalls.Count == 0)
            {
                Assert.NotEqual(FinishReason.ToolCalls, fold.First.Reason);
                Answer = fold.First.Text;
                return this;
            }

            Assert.Equal(FinishReason.ToolCalls, fold.First.Reason);
            Turns.Add(fold.First.ToolCalls.Count);
            _messages.Add(new ChatMessage(ChatRole.Assistant, [.. fold.First.ToolCalls.Select(made => new ToolCallPart(made.Id, made.Name, made.Arguments))]));
            foreach (var made in fold.First.ToolCalls) _messages.Add(Result(made.Id, made.Name, made.Arguments, tools));
        }

        Assert.Fail($"No end: {string.Join(", ", Calls.Select(made => $"{made.Name} {made.Arguments}"))}");
        return this;
    }

    private ChatMessage Result(string id, string name, string arguments, ToolDefinition[] tools)
    {
        using var parsed = JsonDocument.Parse(arguments);
        var given = parsed.RootElement.Clone();
        var schema = tools.Single(tool => tool.Name == name).Schema;
        if (schema is not null) Assert.Null(JsonSchema.Parse(schema).Check(given));
        Assert.DoesNotContain(Calls, before => before.Name == name && JsonElement.DeepEquals(before.Arguments, given));
        Calls.Add((name, given));
        var output = Answers is null ? Usual(name, given) : Answers(name, given);
        return new ChatMessage(ChatRole.Tool, [new ToolResultPart(id, [new TextPart(output ?? "There is nothing to search in: no documents are configured here.")], output is null)]);
    }

    private string? Usual(string name, JsonElement arguments) => name switch
    {
        "search" => Documents.Count == 0 ? null : Found(arguments.GetProperty("query").GetString()!),
        "summarize" => new JsonObject { ["text"] = string.Join(' ', new Findings(arguments.GetProperty("text").GetString()!, CancellationToken.None).Summary(2)), ["truncated"] = false }.ToJsonString(),
        "extract" => Extracted(arguments),
        "classify" => new JsonObject { ["text"] = "x", ["labels"] = new JsonArray(new Classification(arguments.GetProperty("text").GetString()!, CancellationToken.None).Of([.. arguments.GetProperty("labels").EnumerateArray().Select(label => label.GetString()!)]).Label) }.ToJsonString(),
        _ => "{}",
    };

    private string Found(string query) => new JsonObject
    {
        ["text"] = "",
        ["results"] = new JsonArray([.. new TextIndex(Documents, CancellationToken.None).Find(query, 5).Select(piece => new JsonObject
        {
            ["docId"] = piece.Document.Id, ["chunkId"] = $"{piece.Document.Id}#{piece.Number}", ["title"] = piece.Document.Title, ["uri"] = piece.Document.Uri, ["snippet"] = piece.Snippet, ["score"] = piece.Score,
        })]),
    }.ToJsonString();

    private static string Extracted(JsonElement arguments)
    {
        var findings = new Findings(arguments.GetProperty("text").GetString()!, CancellationToken.None);
        var data = new JsonObject();
        if (arguments.TryGetProperty("fields", out var fields))
        {
            foreach (var field in fields.EnumerateArray()) data[field.GetString()!] = findings.OfShape([field.GetString()!]) is [var first, ..] ? first : null;
        }

        return new JsonObject { ["text"] = "", ["data"] = data }.ToJsonString();
    }
}
