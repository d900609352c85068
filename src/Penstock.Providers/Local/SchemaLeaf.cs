using System.Text.Json;
using System.Text.Json.Nodes;

namespace Penstock.Providers.Local;

/// <summary>Values without members: what the text has for a name, a description or a format.</summary>
internal sealed class SchemaLeaf(Prompt prompt, Findings findings)
{
    private const int LongestPadding = 10_000;

    private static readonly string[] Likelihoods = ["confidence", "score", "probability", "certainty"];
    private static readonly string[] People = ["customer", "client", "full", "person", "contact", "sender", "author", "user", "applicant", "patient", "employee"];
    private static readonly string[] Affirmed = ["yes", "true", "y", "on"];

    /// <summary>How near the last label chosen was.</summary>
    private double? _similarity;

    public Filled Enumerated(IReadOnlyList<JsonElement> members, string name)
    {
        var labels = members.Where(member => member.ValueKind == JsonValueKind.String).Select(member => member.GetString()!).ToList();
        if (labels.Count == 0) return new Filled(members.Count == 0 ? null : JsonNode.Parse(members[0].GetRawText()), false);
        if (findings.Fields.Find(Words.OfName(name)) is { } said && labels.Find(label => label.Equals(said.Trim('.', ' '), StringComparison.OrdinalIgnoreCase)) is { } named)
        {
            return new Filled(named, true);
        }

        var verdict = findings.Classify(labels);
        _similarity = verdict.Similarity;
        return new Filled(verdict.Label, verdict.Similarity > 0);
    }

    public Filled? String(Schema schema, string name)
    {
        var least = (int)schema.Whole("minLength", 0, greatest: true);
        var most = (int)schema.Whole("maxLength", int.MaxValue, greatest: false);
        if (least > LongestPadding || least > most) return null;
        foreach (var candidate in Candidates(schema, name))
        {
            var fitted = Cut(candidate, most);
            if (fitted.Length > 0 && LengthOf(fitted) >= least && (fitted == candidate || !HasFormat(schema))) return new Filled(fitted, true);
        }

        var neutral = NeutralOf(schema.Text("format"));
        if (neutral.Length == 0 && least > 0) neutral = "unknown";
        return new Filled(Cut(neutral, most).PadRight(least, '.'), false);
    }

    public Filled? Number(Schema schema, string name, bool whole)
    {
        var range = NumberRange.Of(schema, whole);
        if (range is null) return null;
        foreach (var candidate in NumbersFor(schema, name))
        {
            if (range.Allows(candidate)) return new Filled(JsonValue.Create(candidate), true);
        }

        if (_similarity is { } similarity && Words.OfName(name).Any(Likelihoods.Contains))
        {
            var likelihood = (decimal)Math.Round(similarity, 2);
            if (range.Allows(likelihood)) return new Filled(JsonValue.Create(likelihood), true);
        }

        return range.Nearest() is { } neutral ? new Filled(JsonValue.Create(neutral), false) : null;
    }

    public Filled Boolean(string name)
    {
        var words = Words.OfName(name);
        if (findings.Fields.Find(words) is { } said && Words.Of(said).FirstOrDefault() is "yes" or "no" or "true" or "false" or "y" or "n" or "on" or "off")
        {
            return new Filled(Affirmed.Contains(Words.Of(findings.Fields.Find(words)!).First()), true);
        }

        if (findings.OfShape(words) is { } shaped) return new Filled(shaped.Count > 0, shaped.Count > 0);
        var wanted = words.Where(word => !Words.IsStop(word) && word is not ("contains" or "mentions" or "includes")).Select(Words.Stem).ToHashSet();
        var met = wanted.Count > 0 && wanted.IsSubsetOf(findings.Stems);
        return new Filled(met, met);
    }

    /// <summary>All the text has for an array of texts or numbers.</summary>
    public IEnumerable<JsonNode?> Several(Schema items, string name, int most)
    {
        var words = Words.OfName(name);
        if (items.Types()[0] is "integer" or "number")
        {
            var range = NumberRange.Of(items, items.Types()[0] == "integer");
            var numbers = findings.OfShape(words) ?? findings.Numbers;
            return numbers.Select(Extraction.ToNumber).OfType<decimal>().Where(value => range?.Allows(value) == true).Take(most).Select(value => (JsonNode?)JsonValue.Create(value));
        }

        var least = items.Whole("minLength", 0, greatest: true);
        var longest = (int)items.Whole("maxLength", int.MaxValue, greatest: false);
        return ListFor(items, words, most).Where(text => text.Length > 0 && LengthOf(text) >= least && LengthOf(text) <= longest).Take(most).Select(text => (JsonNode?)JsonValue.Create(text));
    }

    private IReadOnlyList<string> ListFor(Schema items, IReadOnlyList<string> words, int most)
    {
        if (OfFormat(items.Text("format")) is { } formatted) return formatted;
        if (HasFormat(items)) return [];
        if (findings.OfShape(words) is { } shaped) return shaped;
        if (findings.Fields.Find(words) is { } listed) return listed.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (words.Any(word => word is "sentences" or "points" or "bullets" or "highlights" or "summary" or "quotes" or "steps")) return findings.Summary(Math.Min(most, 5));
        return findings.Phrases;
    }

    private IEnumerable<string> Candidates(Schema schema, string name)
    {
        var words = Words.OfName(name);
        if (OfFormat(schema.Text("format")) is { } formatted) return formatted;
        if (HasFormat(schema)) return [];
        var shaped = findings.OfShape(words);
        if (shaped is { Count: > 0 }) return shaped;
        if (words.Count > 0 && findings.Fields.Find(words) is { Length: > 0 } said) return [said];
        if (words is [.., "name"] && words.Any(People.Contains) && findings.Fields.Find(["name"]) is { Length: > 0 } person) return [person];
        if (OfPurpose(words) is { } purposed) return [purposed];
        var described = Words.Of(schema.Text("description") ?? "").Take(30).ToList();
        return shaped is null && findings.OfShape(described) is { Count: > 0 } byDescription ? byDescription : [];
    }

    /// <summary>Names that ask for a text about the text.</summary>
    private string? OfPurpose(IReadOnlyList<string> words)
    {
        foreach (var word in words)
        {
            switch (word)
            {
                case "summary" or "abstract" or "tldr" or "gist" or "overview":
                    return string.Join(' ', findings.Summary(prompt.SentenceCount));
                case "title" or "subject" or "headline" or "topic" or "theme" or "keyword" or "phrase" or "suggestion" or "tag":
                    return findings.Phrases.Count > 0 ? findings.Phrases[0] : null;
                case "label" or "category" or "class" or "sentiment" or "intent" when prompt.Labels.Count > 0:
                    return findings.Classify(prompt.Labels).Label;
                case "quote" or "sentence":
                    return findings.Summary(1) is [var first, ..] ? first : null;
                case "answer" or "reply" or "response" or "message" or "note" or "text" or "content" or "result" or "output" or "explanation" or "reasoning" or "reason":
                    return Reply.Text(prompt, findings);
            }
        }

        return null;
    }

    private IEnumerable<decimal> NumbersFor(Schema schema, string name)
    {
        var words = Words.OfName(name);
        if (words.Count > 0 && findings.Fields.Find(words) is { } said && Extraction.ToNumber(said) is { } named) yield return named;
        var written = words.Contains("year") ? findings.Dates.Select(date => date[..4]) : findings.OfShape(words) ?? findings.OfShape(Words.Of(schema.Text("description") ?? "").Take(30)) ?? [];
        foreach (var number in written.Where(text => !text.Contains('@') && (words.Contains("year") || !findings.Dates.Contains(text))).Select(Extraction.ToNumber).OfType<decimal>()) yield return number;
    }

    private IReadOnlyList<string>? OfFormat(string? format) => format switch
    {
        "email" => findings.Emails,
        "date" => findings.Dates,
        "date-time" => [.. findings.Dates.Select(date => $"{date}T00:00:00Z")],
        "uri" => findings.Urls,
        _ => null,
    };

    private static bool HasFormat(Schema schema) => NeutralOf(schema.Text("format")).Length > 0;

    /// <summary>Valid in its format, and plainly no one's.</summary>
    private static string NeutralOf(string? format) => format switch
    {
        "email" => "nobody@example.invalid",
        "date" => "0001-01-01",
        "date-time" => "0001-01-01T00:00:00Z",
        "time" => "00:00:00Z",
        "duration" => "PT0S",
        "uri" => "about:blank",
        "uuid" => "00000000-0000-0000-0000-000000000000",
        "ipv4" => "0.0.0.0",
        "ipv6" => "::",
        "hostname" => "example.invalid",
        _ => "",
    };

    /// <summary>JSON Schema counts characters, not UTF-16 units.</summary>
    private static int LengthOf(string text) => text.EnumerateRunes().Count();

    private static string Cut(string text, int most) => text.Length <= most || LengthOf(text) <= most ? text : string.Concat(text.EnumerateRunes().Take(most));
}
