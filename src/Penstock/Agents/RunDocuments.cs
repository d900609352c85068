using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>Texts that come with a run's input, under <c>documents</c>: each is an entry of its own, so that the input stays small.</summary>
internal static class RunDocuments
{
    public const string Member = "documents";
    public const int Most = 200;

    /// <summary>Bodies of their entries; throws 400 that names the one that is wrong.</summary>
    public static IReadOnlyList<string> Read(JsonView input)
    {
        if (input.Kind != JsonValueKind.Object || input.Optional(Member) is not { } documents) return [];
        if (documents.Count > Most) throw documents.Bad($"must have at most {Most} items");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return [.. documents.Items().Select((document, index) => Read(document, index, seen))];
    }

    /// <summary>The input without them.</summary>
    public static string Without(JsonView input)
    {
        if (input.Kind != JsonValueKind.Object || input.Optional(Member) is null) return RunJson.Compact(input);
        return RunJson.Of(json =>
        {
            foreach (var (name, value) in input.Members().Where(member => member.Name != Member)) RunJson.WriteRaw(json, name, RunJson.Compact(value));
        });
    }

    private static string Read(JsonView document, int index, HashSet<string> seen)
    {
        var plain = document.Kind == JsonValueKind.String;
        if (!plain) document.AllowOnly("docId", "title", "uri", "text");
        var id = (plain ? null : document.Optional("docId")) is { } given ? RunNames.Label(given) : string.Create(CultureInfo.InvariantCulture, $"document-{index + 1}");
        if (!seen.Add(id)) throw document.Bad($"has the docId '{id}', as another has; give each its own");
        var body = RunJson.Of(json =>
        {
            json.WriteString("docId", id);
            if (!plain && document.Optional("title") is { } title) json.WriteString("title", title.ShortText(1_000));
            if (!plain && document.Optional("uri") is { } uri) json.WriteString("uri", uri.ShortText(2_000));
            json.WriteString("text", (plain ? document : document.Required("text")).NonEmptyText());
        });
        return Encoding.UTF8.GetByteCount(body) <= JournalEntry.LargestBody ? body : throw document.Bad($"has more than {JournalEntry.LargestBody} bytes; give it in parts");
    }
}
