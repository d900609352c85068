using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>
/// The answer's text: a summary, extracts or a class where the prompt asks for one, an object where it asks for JSON;
/// else what this provider is and what the prompt is about. It never writes a sentence as if it were a language model.
/// </summary>
internal static class Reply
{
    private const string WhatItIs = "Penstock's local provider extracts; it does not write.";
    internal const string WhatToDo = "Set OPENAI_API_KEY or ANTHROPIC_API_KEY for a language model.";
    private static readonly string Partly = FormattableString.Invariant($"\n(Only the first {Findings.Reach:N0} characters were read.)");
    private const int TopicsShown = 5;

    /// <summary>Enough sentences that their most central one says more than the phrases do.</summary>
    private const int ManySentences = 3;

    internal static readonly JsonWriterOptions JsonText = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>After tool calls: what they found. Throws as <see cref="To"/> does.</summary>
    public static string After(ChatCall call, AgentTask task, ToolTalk talk, CancellationToken ct)
    {
        var report = new AgentReport(task, talk, ct);
        if (call.ResponseFormat is not { } format) return report.Text();
        // The system prompt speaks of the agent's work, and would be taken for the user's wish.
        var prompt = new Prompt(call with { Messages = [task.Said], Template = null });
        return format.Schema is { } schema ? SchemaFill.Fill(schema, prompt, report.Findings, ct, report) : AnyObject(report);
    }

    /// <summary>Throws <see cref="ProviderException"/> where no value can satisfy the schema asked for.</summary>
    public static string To(ChatCall call, CancellationToken ct)
    {
        var prompt = new Prompt(call);
        var findings = new Findings(prompt.Material, ct);
        if (call.ResponseFormat is not { } format) return findings.IsWhole ? Text(prompt, findings) : Text(prompt, findings) + Partly;
        return format.Schema is { } schema ? SchemaFill.Fill(schema, prompt, findings, ct) : AnyObject(prompt, findings);
    }

    internal static string Text(Prompt prompt, Findings findings)
    {
        if (findings.Text.Length == 0) return About(new Findings(prompt.User, CancellationToken.None));
        return prompt.Ask switch
        {
            Ask.Summarise => Summary(prompt, findings),
            Ask.Classify => findings.Classify(prompt.Labels).Label,
            Ask.Extract => Extracts(prompt, findings),
            _ => About(findings),
        };
    }

    internal static string Summary(Prompt prompt, Findings findings)
    {
        var sentences = findings.Summary(prompt.SentenceCount);
        return prompt.Instruction.Contains("bullet", StringComparison.OrdinalIgnoreCase)
            ? string.Join('\n', sentences.Select(sentence => $"- {sentence}"))
            : string.Join(' ', sentences);
    }

    private static string About(Findings findings)
    {
        var reply = new StringBuilder(WhatItIs);
        var topics = findings.Phrases.Take(TopicsShown).ToList();
        if (topics.Count > 0) reply.Append(" What your prompt is about: ").AppendJoin(", ", topics).Append('.');
        if (findings.Sentences.Count >= ManySentences) reply.Append(" Its central sentence: \"").Append(findings.Summary(1)[0]).Append('"');
        return reply.Append(reply[^1] == '"' ? ". " : " ").Append(WhatToDo).ToString();
    }

    private static string Extracts(Prompt prompt, Findings findings)
    {
        var lines = Wanted(prompt, findings).SelectMany(kind => kind.Values.Select(value => $"{kind.Name}: {value}")).ToList();
        return lines.Count > 0 ? string.Join('\n', lines) : $"{WhatItIs} It found nothing of the kind asked for. {WhatToDo}";
    }

    /// <summary>The kinds the instruction names; all that yield something where it names none.</summary>
    private static List<(string Name, IReadOnlyList<string> Values)> Wanted(Prompt prompt, Findings findings)
    {
        (string Name, string[] Words, IReadOnlyList<string> Values)[] kinds =
        [
            ("email", ["email", "emails", "mail"], findings.Emails),
            ("date", ["date", "dates", "deadline", "deadlines"], findings.Dates),
            ("amount", ["amount", "amounts", "price", "prices", "cost", "costs", "total", "money"], findings.Amounts),
            ("phone", ["phone", "phones", "telephone", "mobile"], findings.Phones),
            ("url", ["url", "urls", "link", "links", "website", "websites"], findings.Urls),
        ];
        var asked = Words.Of(prompt.Wish.Replace("e-mail", "email", StringComparison.OrdinalIgnoreCase)).ToHashSet();
        var named = kinds.Where(kind => kind.Words.Any(asked.Contains)).Select(kind => (kind.Name, kind.Values)).ToList();
        var fields = findings.Fields.All().Where(pair => pair.Value.Length > 0).Select(pair => (Name: pair.Key, Values: (IReadOnlyList<string>)[pair.Value])).ToList();
        var known = named.SelectMany(kind => kind.Values).ToHashSet();
        var wanted = fields.Where(pair => !known.Contains(pair.Values[0]) && Words.Of(pair.Name).Any(word => !Words.IsStop(word) && asked.Contains(word))).ToList();
        var found = named.Count + wanted.Count > 0 ? named.Concat(wanted) : kinds.Select(kind => (kind.Name, kind.Values)).Concat(fields);
        return [.. found.Where(kind => kind.Values.Count > 0)];
    }

    private static string AnyObject(Prompt prompt, Findings findings)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, JsonText))
        {
            json.WriteStartObject();
            if (prompt.Ask == Ask.Extract)
            {
                foreach (var kind in Wanted(prompt, findings).GroupBy(kind => kind.Name)) WriteArray(json, kind.Key, kind.SelectMany(one => one.Values));
            }
            else
            {
                json.WriteString(prompt.Ask switch { Ask.Summarise => "summary", Ask.Classify => "label", _ => "note" }, Text(prompt, findings));
                if (prompt.Ask == Ask.Other) WriteArray(json, "topics", findings.Phrases);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static string AnyObject(AgentReport report) => SchemaFill.Write(new JsonObject
    {
        ["answer"] = report.Text(),
        ["citations"] = new JsonArray([.. report.Cited.Select(source => JsonValue.Create(source.Citation))]),
    });

    private static void WriteArray(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
