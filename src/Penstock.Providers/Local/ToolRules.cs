using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>
/// Which tools are called next, by fixed rules and nothing else:
/// <code>
/// 1 search (query)            what is asked for; http_fetch (url) for up to three addresses that are named
/// 2 summarize (text)          of what was found, or of the material given
///   extract (text, fields)    the same; fields or schema as the user or the answer's form names them
///   classify (text, labels)   of the material given
/// 3 escalate (question)       where a search was made and nothing was found
/// </code>
/// Each where it is offered, once in a conversation, and only with arguments that its schema takes. A tool of another name is called where it must be, and then
/// with what the text has for its arguments.
/// </summary>
internal sealed class ToolRules(ChatCall call, AgentTask task, ToolTalk talk, CancellationToken ct)
{
    private const int LongestText = 20_000;
    private const string ReasonToAsk = "The documents given do not settle this";

    private static readonly string[] Usual = ["search", "http_fetch", "summarize", "extract", "classify", "escalate"];

    /// <summary>Fields of anything.</summary>
    private static readonly string[] Sensible = ["date", "amount", "name", "url"];

    /// <summary>Names of an answer's members that are about the answer and not in the text.</summary>
    private static readonly string[] AboutAnswer =
        ["summary", "answer", "report", "keyPoints", "points", "citations", "sources", "limitations", "findings", "data", "missing", "labels", "label", "reason", "text", "result", "escalated", "confidence"];

    private static readonly string[] Sentiments = ["positive", "neutral", "negative"];

    /// <summary>Whether the rules have anything to say here: a tool that they know is offered, or tools were called before.</summary>
    public static bool Apply(ChatCall call) => call.Tools.Any(tool => Usual.Contains(tool.Name)) || call.Messages.Any(message => message.Parts.OfType<ToolCallPart>().Any());

    /// <summary>The calls to make now; none where it is time to answer. Throws where one must be made and cannot be.</summary>
    public IReadOnlyList<MadeCall> Next()
    {
        if (call.ToolChoice?.Kind == ToolChoiceKind.None || call.Tools.Count == 0) return [];
        var allowed = call.ToolChoice is { Kind: ToolChoiceKind.Named, Name: { } named } ? call.Tools.Where(tool => tool.Name == named).ToList() : [.. call.Tools];
        var forms = allowed.DistinctBy(tool => tool.Name).Select(tool => new ToolForm(tool)).ToList();
        try
        {
            var calls = ByRule(forms);
            if (calls.Count == 0 && call.ToolChoice is { Kind: ToolChoiceKind.Required or ToolChoiceKind.Named }) calls = [Forced(forms)];
            return call.ParallelToolCalls == false ? [.. calls.Take(1)] : calls;
        }
        finally
        {
            forms.ForEach(form => form.Dispose());
        }
    }

    /// <summary>What was found, or else the material given.</summary>
    public static string TextOf(AgentTask task, ToolTalk talk) => talk.Sources.Count > 0 ? string.Join("\n\n", talk.Sources.Select(source => source.Text)) : task.Material;

    private List<MadeCall> ByRule(List<ToolForm> forms)
    {
        var looking = new List<MadeCall?>();
        if (task.Query.Length > 0) looking.Add(Once(forms, "search", ("query", task.Query)));
        if (!talk.Called("http_fetch")) looking.AddRange(task.Urls.Select(url => Find(forms, "http_fetch")?.Call(("url", url))));
        if (New(looking) is { Count: > 0 } first) return first;

        var text = TextOf(task, talk);
        if (text.Length == 0) return talk.Called("search") ? New([Once(forms, "escalate", ("question", $"{ReasonToAsk}: {task.Query}"))]) : [];
        text = AgentTask.Cut(text, LongestText);
        return New([Summary(forms, text), Extraction(forms, text), Classification(forms)]);
    }

    private MadeCall? Summary(List<ToolForm> forms, string text) => Once(forms, "summarize", ("text", text));

    private MadeCall? Extraction(List<ToolForm> forms, string text)
    {
        if (task.Wanted is { } wanted) return Once(forms, "extract", ("text", text), ("schema", JsonNode.Parse(wanted.GetRawText())));
        string[] fields = task.Fields.Count > 0 ? [.. task.Fields] : NamedByAnswer();
        return fields.Length == 0 ? null : Once(forms, "extract", ("text", text), ("fields", new JsonArray([.. fields.Select(field => JsonValue.Create(field))])));
    }

    /// <summary>What the answer's form asks for; sensible fields where it has no form, or where it is a form for whatever is extracted.</summary>
    private string[] NamedByAnswer()
    {
        if (call.ResponseFormat?.Schema is not { } answerSchema) return Sensible;
        using var document = JsonDocument.Parse(answerSchema);
        var names = Schema.Read(document.RootElement, document.RootElement).Properties().Select(property => property.Name).ToList();
        if (names.Contains("data")) return Sensible;
        return [.. names.Where(name => !AboutAnswer.Contains(name) && name.Length <= 64)];
    }

    private MadeCall? Classification(List<ToolForm> forms)
    {
        // Who has more to do than to classify says into what.
        if (task.Labels.Count < 2 && Find(forms, "search") is not null) return null;
        var labels = task.Labels.Count > 1 ? task.Labels : Sentiments;
        var text = AgentTask.Cut(task.Material.Length > 0 ? task.Material : task.Question, LongestText);
        return Once(forms, "classify", ("text", text), ("labels", new JsonArray([.. labels.Select(label => JsonValue.Create(label))])), ("multiple", task.SeveralLabels ? JsonValue.Create(true) : null));
    }

    private MadeCall? Once(List<ToolForm> forms, string name, params (string Name, JsonNode? Value)[] arguments) => talk.Called(name) ? null : Find(forms, name)?.Call(arguments);

    private static ToolForm? Find(List<ToolForm> forms, string name) => forms.Find(form => form.Name == name);

    private List<MadeCall> New(IEnumerable<MadeCall?> calls) => [.. calls.OfType<MadeCall>().Distinct().Where(made => !talk.Called(made.Name, AgentTask.ObjectOf(made.Arguments)!.Value))];

    private MadeCall Forced(List<ToolForm> forms)
    {
        var prompt = new Prompt(call with { Messages = [task.Said], Template = null });
        var findings = new Findings(TextOf(task, talk) is { Length: > 0 } text ? text : prompt.User, ct);
        ProviderException? why = null;
        foreach (var form in forms)
        {
            try
            {
                if (New([form.Filled(prompt, findings, ct)]) is [var made]) return made;
            }
            catch (ProviderException e)
            {
                why = e;
            }
        }

        var field = call.Dialect == Dialect.Native ? "toolChoice" : "tool_choice";
        throw new ProviderException(
            ProviderFault.Rejected,
            why?.Message ?? $"'{field}' asks for a tool call, and the local provider finds nothing in the text for one that it has not made. Leave the choice to it, or choose a language model.",
            400, why?.Code ?? "no_tool_call", field);
    }
}
