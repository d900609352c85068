using System.Globalization;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Tools.Search;

/// <summary><c>search</c>: finds pieces of the texts that are given with the call. Nothing to search in is an error, never an empty answer.</summary>
internal sealed class SearchTool : ITool
{
    public const string NotConfigured = "search_not_configured";

    private const int Usual = 5;
    private const int LongestText = 20_000;

    public ToolSpec Spec { get; } = new()
    {
        Name = "search",
        Description = "Finds the pieces of the given texts that fit a query best, ranked by BM25. Cite what you use by its docId and chunkId.",
        Effect = ToolEffect.Pure,
        Input = JsonSchema.Parse("""
            {
              "type": "object",
              "properties": {
                "query": {"type": "string", "minLength": 1, "maxLength": 2000},
                "texts": {
                  "type": "array",
                  "maxItems": 1000,
                  "description": "What to search in",
                  "items": {
                    "anyOf": [
                      {"type": "string"},
                      {
                        "type": "object",
                        "properties": {"docId": {"type": "string", "minLength": 1, "maxLength": 200}, "title": {"type": "string"}, "uri": {"type": "string"}, "text": {"type": "string"}},
                        "required": ["text"],
                        "additionalProperties": false
                      }
                    ]
                  }
                },
                "k": {"type": "integer", "minimum": 1, "maximum": 50, "description": "How many pieces at most; 5 where absent"}
              },
              "required": ["query"],
              "additionalProperties": false
            }
            """),
        Output = JsonSchema.Parse("""
            {
              "type": "object",
              "properties": {
                "text": {"type": "string", "description": "The snippets one after the other"},
                "results": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "properties": {
                      "docId": {"type": "string"}, "chunkId": {"type": "string"}, "title": {"type": ["string", "null"]}, "uri": {"type": ["string", "null"]},
                      "snippet": {"type": "string"}, "score": {"type": "number"}
                    },
                    "required": ["docId", "chunkId", "title", "uri", "snippet", "score"],
                    "additionalProperties": false
                  }
                }
              },
              "required": ["text", "results"],
              "additionalProperties": false
            }
            """),
    };

    public Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
    {
        var texts = call.Arguments.Optional("texts")?.Items().Select(Read).ToList() ?? [];
        if (texts.Count == 0)
            throw new RefusedException(new Refusal(RefusalKind.Unprocessable, NotConfigured, "There is nothing to search in: no documents are configured here, and the call gives no 'texts'.") { Field = "/texts" });
        var found = new TextIndex(texts, ct).Find(call.Arguments.Required("query").Text(), call.Arguments.Optional("k")?.Whole(1, 50) ?? Usual);
        return Task.FromResult(new ToolResult(JsonOutput.Of(json => Write(json, found))));
    }

    private static SearchedText Read(JsonView item, int index)
    {
        var number = string.Create(CultureInfo.InvariantCulture, $"text-{index + 1}");
        return item.Kind == JsonValueKind.String
            ? new SearchedText(number, null, null, item.Text())
            : new SearchedText(item.Optional("docId")?.Text() ?? number, item.Optional("title")?.Text(), item.Optional("uri")?.Text(), item.Required("text").Text());
    }

    private static void Write(Utf8JsonWriter json, IReadOnlyList<FoundPiece> found)
    {
        var text = string.Join("\n\n", found.Select(piece => piece.Snippet));
        json.WriteString("text", text.Length <= LongestText ? text : text[..LongestText]);
        json.WriteStartArray("results");
        foreach (var piece in found)
        {
            json.WriteStartObject();
            json.WriteString("docId", piece.Document.Id);
            json.WriteString("chunkId", string.Create(CultureInfo.InvariantCulture, $"{piece.Document.Id}#{piece.Number}"));
            json.WriteString("title", piece.Document.Title);
            json.WriteString("uri", piece.Document.Uri);
            json.WriteString("snippet", piece.Snippet);
            json.WriteNumber("score", piece.Score);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
