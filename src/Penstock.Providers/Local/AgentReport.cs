using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Penstock.Providers.Local;

/// <summary>
/// The answer after tool calls: sentences of the summary with the sources that they are from, what was extracted, and plainly what was not found. Put together
/// by rules, and it says so.
/// </summary>
internal sealed class AgentReport
{
    private const int MostSentences = 5;
    private const int LongestValue = 200;

    /// <summary>Of a sentence's words, how many a source must have to be cited for it.</summary>
    private const double Enough = 0.6;

    private const string WhatItIs = "Penstock's local provider extracts; it does not write.";

    private readonly AgentTask _task;
    private readonly ToolTalk _talk;
    private readonly CancellationToken _ct;
    private readonly IReadOnlyList<string> _sentences;
    private readonly List<Source> _cited;
    private readonly IReadOnlyList<string> _lacks;

    public AgentReport(AgentTask task, ToolTalk talk, CancellationToken ct)
    {
        (_task, _talk, _ct) = (task, talk, ct);
        _lacks = [.. talk.Lacks()];
        Findings = new Findings(ToolRules.TextOf(task, talk) is { Length: > 0 } text ? text : task.Question, ct);
        var summary = talk.Last("summarize") is { } summarized ? Sentences.Of(summarized.Text("text") ?? summarized.Result, ct) : Found ? Findings.Summary(3) : [];
        _sentences = [.. summary.Take(MostSentences)];
        _cited = [.. _sentences.Select(SourceOf).OfType<Source>().Distinct()];
        // Where a summary is in words of its own, it still rests on all that was given to it.
        if (_cited.Count == 0) _cited = [.. talk.Sources.Where(source => source.Citation.Length > 0)];
    }

    /// <summary>Over what was found, or the material given, or else the question.</summary>
    public Findings Findings { get; }

    private bool Found => _talk.Sources.Count > 0 || _task.Material.Length > 0;

    private string? Person => _talk.Last("escalate") is { } asked ? asked.Text("answer") ?? asked.Result : null;

    public string Text()
    {
        var report = new StringBuilder(Person is { } words ? $"A person says: {words}" : "");
        foreach (var sentence in _sentences) report.Append(report.Length > 0 ? " " : "").Append(sentence).Append(SourceOf(sentence) is { } source ? $" [{source.Citation}]" : "");
        if (_sentences.Count > 0 && _cited.Count > 0 && _sentences.All(sentence => SourceOf(sentence) is null)) report.Append(" Sources: ").AppendJoin(' ', _cited.Select(source => $"[{source.Citation}]"));
        if (Extracted() is { Count: > 0 } pairs) Line(report).Append("Extracted: ").AppendJoin("; ", pairs.Select(pair => $"{pair.Name}: {pair.Value}")).Append('.');
        if (Labels() is { Count: > 0 } labels) Line(report).Append("Labels: ").AppendJoin(", ", labels).Append('.');
        if (Limits() is { } limits) Line(report).Append(limits);
        return report.ToString();
    }

    /// <summary>Values for members of an answer's form, by name: they go before what is found in the text.</summary>
    public IReadOnlyDictionary<string, JsonNode?> Known()
    {
        var known = new Dictionary<string, JsonNode?>(StringComparer.OrdinalIgnoreCase);
        var summary = string.Join(' ', _sentences);
        if (_sentences.Count > 0) known["summary"] = known["answer"] = JsonValue.Create(summary);
        foreach (var name in new[] { "report", "result", "text" }) known[name] = JsonValue.Create(Text());
        if (Person is { } words) known["answer"] = JsonValue.Create(words);
        else if (_task.Question.Length == 0) known["answer"] = null;
        known["escalated"] = JsonValue.Create(_talk.Called("escalate"));
        foreach (var name in new[] { "limitations", "notes", "note" }) known[name] = JsonValue.Create(Limits());
        foreach (var name in new[] { "citations", "sources" }) known[name] = new JsonArray([.. _cited.Select(source => JsonValue.Create(source.Citation))]);
        if (Labels() is { Count: > 0 } labels)
        {
            known["labels"] = new JsonArray([.. labels.Select(label => JsonValue.Create(label))]);
            known["label"] = JsonValue.Create(labels[0]);
            known["reason"] = null;
        }

        if (Data() is not { } data) return known;
        foreach (var member in data.EnumerateObject()) known.TryAdd(member.Name, JsonNode.Parse(member.Value.GetRawText()));
        known["data"] = JsonNode.Parse(data.GetRawText());
        known["missing"] = new JsonArray([.. data.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.Null).Select(member => JsonValue.Create(member.Name))]);
        return known;
    }

    public IReadOnlyList<Source> Cited => _cited;

    /// <summary>What was not found, and that this is no language model's work.</summary>
    private string Limits()
    {
        var limits = new StringBuilder();
        foreach (var lack in _lacks) limits.Append(limits.Length > 0 ? " " : "").Append(char.ToUpperInvariant(lack[0])).Append(lack.AsSpan(1)).Append(lack[^1] is '.' or '!' or '?' ? "" : ".");
        if (!Found && Person is null)
        {
            limits.Append(limits.Length > 0 ? " " : "").Append("So there is nothing to answer from but the request itself");
            var topics = Findings.Phrases.Take(3).ToList();
            limits.Append(topics.Count > 0 ? string.Create(CultureInfo.InvariantCulture, $", which is about {string.Join(", ", topics)}.") : ".");
        }

        return limits.Append(limits.Length > 0 ? " " : "").Append(_talk.Calls.Count > 0 ? "Put together by rules from what the tools answered: " : "Put together by rules from the text given: ").Append(WhatItIs).Append(' ').Append(Reply.WhatToDo).ToString();
    }

    /// <summary>The source that most of the sentence's words are in.</summary>
    private Source? SourceOf(string sentence)
    {
        _ct.ThrowIfCancellationRequested();
        var words = Words.Stems(sentence).ToHashSet();
        if (words.Count == 0) return null;
        var best = _talk.Sources.Where(source => source.Citation.Length > 0).Select(source => (Source: source, Shared: Words.Stems(source.Text).ToHashSet().Count(words.Contains))).OrderByDescending(pair => pair.Shared).FirstOrDefault();
        return best.Source is not null && best.Shared >= Enough * words.Count ? best.Source : null;
    }

    private JsonElement? Data() => _talk.Last("extract")?.Output is { } output && output.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object ? data : null;

    private List<(string Name, string Value)> Extracted() => Data() is { } data
        ? [.. data.EnumerateObject().Where(member => member.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False)
            .Select(member => (member.Name, Value: AgentTask.Cut(member.Value.ToString(), LongestValue))).Where(pair => pair.Value.Length > 0)]
        : [];

    private List<string> Labels() => _talk.Last("classify")?.Output is { } output && output.TryGetProperty("labels", out var labels) && labels.ValueKind == JsonValueKind.Array
        ? [.. labels.EnumerateArray().Where(label => label.ValueKind == JsonValueKind.String).Select(label => label.GetString()!)]
        : [];

    private static StringBuilder Line(StringBuilder report) => report.Append(report.Length > 0 ? "\n" : "");
}
