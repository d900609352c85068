using System.Text.Json;

namespace Penstock.Agents;

/// <summary>What was found in a run, and may be cited: pieces of documents by <c>docId#chunkId</c>, and pages by their address.</summary>
internal sealed class Sources
{
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public int Count => _known.Count;

    public bool Knows(string source) => _known.Contains(source);

    /// <summary>Whatever the result of a tool names as its source.</summary>
    public void Add(ToolTurn call)
    {
        try
        {
            using var output = JsonDocument.Parse(call.Outcome);
            if (output.RootElement.ValueKind != JsonValueKind.Object) return;
            if (output.RootElement.TryGetProperty("url", out var url) && url.ValueKind == JsonValueKind.String) _known.Add(url.GetString()!);
            if (!output.RootElement.TryGetProperty("results", out var results) || results.ValueKind != JsonValueKind.Array) return;
            foreach (var result in results.EnumerateArray()) Add(result);
        }
        catch (JsonException)
        {
            // A result in words, or one that was cut, names no source.
        }
    }

    private void Add(JsonElement result)
    {
        if (result.ValueKind != JsonValueKind.Object || !result.TryGetProperty("docId", out var document) || !result.TryGetProperty("chunkId", out var chunk)) return;
        // As search names it, and as who joins the two names it.
        _known.Add(chunk.ToString());
        _known.Add($"{document}#{chunk}");
        _known.Add(document.ToString());
        if (result.TryGetProperty("uri", out var uri) && uri.ValueKind == JsonValueKind.String) _known.Add(uri.GetString()!);
    }
}
