using System.Text.Json;
using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>
/// What a conversation with tools is about: the user's message before the first tool call, or the last one. Where it is a JSON object, members of usual names
/// say what is what; else a short text is a question, and a long one is material.
/// </summary>
internal sealed class AgentTask
{
    /// <summary>A longer text is not what somebody would search for.</summary>
    private const int LongestQuestion = 500;

    private const int LongestQuery = 1_000;
    private const int PhrasesAsked = 5;
    private const int MostUrls = 3;

    private static readonly string[] Questions = ["question", "topic", "query", "task", "instructions", "focus", "title"];
    private static readonly string[] Materials = ["text", "code", "diff", "content", "message", "body"];
    private static readonly string[] Lists = ["labels", "categories", "classes"];

    /// <summary>What stands for a question where none is asked.</summary>
    private string _searched = "";

    public AgentTask(ChatCall call, CancellationToken ct)
    {
        var first = call.Messages.TakeWhile(message => !message.Parts.OfType<ToolCallPart>().Any());
        Said = first.LastOrDefault(message => message.Role == ChatRole.User) ?? new ChatMessage(ChatRole.User, [new TextPart("")]);
        var text = Said.Text();
        if (ObjectOf(text) is { } input) ReadMembers(input);
        else ReadText(text, searches: call.Tools.Any(tool => tool.Name == "search"), call);
        Query = Question.Length > 0 ? Cut(Question, LongestQuery) : _searched.Length > 0 ? string.Join(' ', new Findings(_searched, ct).Phrases.Take(PhrasesAsked)) : "";
        Urls = [.. Extraction.Urls(Question.Length > 0 ? Question : text.Length <= LongestQuestion ? text : "").Take(MostUrls)];
    }

    public ChatMessage Said { get; }

    /// <summary>Empty where the message only brings material.</summary>
    public string Question { get; private set; } = "";

    /// <summary>What is to be worked on; empty where it is to be found.</summary>
    public string Material { get; private set; } = "";

    public IReadOnlyList<string> Labels { get; private set; } = [];

    public bool SeveralLabels { get; private set; }

    public IReadOnlyList<string> Fields { get; private set; } = [];

    /// <summary>A JSON Schema that the user gives for what to extract; null where they give none.</summary>
    public JsonElement? Wanted { get; private set; }

    /// <summary>What to search for.</summary>
    public string Query { get; }

    public IReadOnlyList<string> Urls { get; }

    public static JsonElement? ObjectOf(string text)
    {
        if (!text.AsSpan().TrimStart().StartsWith('{')) return null;
        try
        {
            using var document = JsonDocument.Parse(text);
            return Schema.IsText(document.RootElement) ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private void ReadMembers(JsonElement input)
    {
        Question = Texts(input, Questions).FirstOrDefault() ?? "";
        var documents = Documents(input).ToList();
        _searched = string.Join("\n\n", documents);
        Material = string.Join("\n\n", Texts(input, Materials).Concat(documents));
        Labels = Lists.Select(name => Items(input, name)).FirstOrDefault(list => list.Count > 0) ?? [];
        SeveralLabels = input.TryGetProperty("multiple", out var multiple) && multiple.ValueKind == JsonValueKind.True;
        Fields = Items(input, "fields");
        if (input.TryGetProperty("schema", out var schema) && schema.ValueKind == JsonValueKind.Object) Wanted = schema;
        // Names that say nothing here: then all that it says is what it is about.
        if (Question.Length == 0 && Material.Length == 0) Question = string.Join(' ', Leaves(input));
    }

    private void ReadText(string text, bool searches, ChatCall call)
    {
        // The system prompt speaks of the agent's work, and would be taken for the user's wish.
        var prompt = new Prompt(call with { Messages = [Said], Template = null });
        Labels = prompt.Labels;
        var isQuestion = text.Length <= LongestQuestion && (searches || prompt.Material.Length == 0);
        Question = isQuestion ? text : "";
        Material = isQuestion ? "" : prompt.Material.Length > 0 ? prompt.Material : text;
        _searched = Material;
    }

    private static IEnumerable<string> Texts(JsonElement input, string[] names) =>
        names.Select(name => input.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()!.Trim() : "").Where(text => text.Length > 0);

    private static IEnumerable<string> Documents(JsonElement input)
    {
        if (!input.TryGetProperty("documents", out var documents) || documents.ValueKind != JsonValueKind.Array) yield break;
        foreach (var document in documents.EnumerateArray())
        {
            if (document.ValueKind == JsonValueKind.String) yield return document.GetString()!;
            else if (document.ValueKind == JsonValueKind.Object && document.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String) yield return text.GetString()!;
        }
    }

    private static List<string> Items(JsonElement input, string name) => input.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array
        ? [.. list.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!).Where(item => item.Length > 0).Distinct()]
        : [];

    private static IEnumerable<string> Leaves(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Object => value.EnumerateObject().SelectMany(member => Leaves(member.Value)),
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Leaves),
        _ => [],
    };

    internal static string Cut(string text, int longest) => text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)];
}
