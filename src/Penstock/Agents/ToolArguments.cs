using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>Arguments as a model writes them.</summary>
internal static class ToolArguments
{
    public static bool IsObject(string text) => TryParse(text) is not null;

    /// <summary>Null where they are no JSON object.</summary>
    public static JsonView? TryParse(string text)
    {
        try
        {
            return JsonView.Parse(System.Text.Encoding.UTF8.GetBytes(text));
        }
        catch (RefusedException)
        {
            return null;
        }
    }

    /// <summary>The arguments of a search that names no texts, with those of the run.</summary>
    public static JsonView WithTexts(JsonView arguments, IReadOnlyList<RunDocument> documents) => new(JsonOutput.Of(json =>
    {
        foreach (var (name, value) in arguments.Members())
        {
            json.WritePropertyName(name);
            value.Element.WriteTo(json);
        }

        json.WriteStartArray("texts");
        foreach (var document in documents)
        {
            json.WriteStartObject();
            json.WriteString("docId", document.DocId);
            if (document.Title is { } title) json.WriteString("title", title);
            if (document.Uri is { } uri) json.WriteString("uri", uri);
            json.WriteString("text", document.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }), "");
}
