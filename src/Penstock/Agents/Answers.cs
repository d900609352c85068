using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>Whether a run's last answer can stand as its output.</summary>
internal static partial class Answers
{
    private const string CitationsMember = "citations";

    /// <returns>The output, or what is wrong with it in words for the model.</returns>
    public static (JsonElement? Output, string? Unfit) Check(RunState state, string answer)
    {
        var (output, unfit) = Read(state, answer);
        if (output is { } read && state.Definition.Cites && Unknown(state, read) is { } citation)
            unfit = $"'{citation}' is cited, and nothing of that name was found in this run. Cite only what 'search' or 'http_fetch' answered, by docId#chunkId or address, or say that there is no source.";
        return unfit is null ? (output, null) : (null, unfit);
    }

    private static (JsonElement? Output, string? Unfit) Read(RunState state, string answer)
    {
        if (state.Definition.Output is not { } schema) return (Quoted(answer), null);
        try
        {
            using var document = JsonDocument.Parse(Unfenced(answer));
            var output = document.RootElement.Clone();
            return schema.Check(output) is { } problem ? (null, $"{problem} in your answer. It must fit this JSON Schema: {schema}") : (output, null);
        }
        catch (JsonException)
        {
            return (null, $"Your answer is not JSON. Answer with nothing but JSON that fits this schema: {schema}");
        }
    }

    private static string? Unknown(RunState state, JsonElement output)
    {
        if (output.ValueKind == JsonValueKind.String) return Cited().Matches(output.GetString()!).Select(match => match.Groups[1].Value).FirstOrDefault(cited => !state.Sources.Knows(cited));
        if (output.ValueKind != JsonValueKind.Object || !output.TryGetProperty(CitationsMember, out var citations) || citations.ValueKind != JsonValueKind.Array) return null;
        return citations.EnumerateArray().Select(Name).OfType<string>().FirstOrDefault(cited => !state.Sources.Knows(cited));
    }

    private static string? Name(JsonElement citation)
    {
        if (citation.ValueKind == JsonValueKind.String) return citation.GetString();
        if (citation.ValueKind != JsonValueKind.Object) return null;
        if (citation.TryGetProperty("docId", out var document)) return citation.TryGetProperty("chunkId", out var chunk) ? $"{document}#{chunk}" : document.ToString();
        return citation.TryGetProperty("uri", out var uri) ? uri.ToString() : null;
    }

    private static JsonElement Quoted(string text) => JsonOutput.Of(json => json.WriteString("text", text)).GetProperty("text");

    /// <summary>Models like to put JSON between fences.</summary>
    private static string Unfenced(string answer)
    {
        var text = answer.Trim();
        if (!text.StartsWith("```", StringComparison.Ordinal) || !text.EndsWith("```", StringComparison.Ordinal) || text.Length < 6) return text;
        var line = text.IndexOf('\n', StringComparison.Ordinal);
        return line < 0 ? text : text[(line + 1)..^3];
    }

    /// <summary>Such as <c>[report#2]</c>.</summary>
    [GeneratedRegex(@"\[([^\[\]\s#]{1,200}#[^\[\]\s]{1,50})\]", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Cited();
}
