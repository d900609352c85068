using System.Text.Json;

namespace Penstock.Upstream;

internal enum ToolPick
{
    Auto,
    None,
    Required,
    Named,
}

/// <param name="Schema">Schema of the arguments; null where the tool takes none.</param>
internal sealed record AskTool(string Name, JsonElement? Schema);

/// <summary>What a checked request of either vendor comes down to.</summary>
internal sealed record Ask
{
    public required Model Model { get; init; }

    public bool Stream { get; init; }

    /// <summary>The text of the last user message that has any, markers included.</summary>
    public string RawText { get; init; } = "";

    public IReadOnlyList<Marker> Markers { get; init; } = [];

    public string System { get; init; } = "";

    public IReadOnlyList<AskTool> Tools { get; init; } = [];

    public ToolPick Pick { get; init; }

    public string? PickedTool { get; init; }

    public bool Parallel { get; init; } = true;

    /// <summary>How often the assistant has spoken.</summary>
    public int Turns { get; init; }

    /// <summary>Results that end the conversation, in order; empty where it ends otherwise.</summary>
    public IReadOnlyList<string> ToolResults { get; init; } = [];

    /// <summary>Each as its media type and size, or its address.</summary>
    public IReadOnlyList<string> Images { get; init; } = [];

    public bool Json { get; init; }

    public JsonElement? Schema { get; init; }

    public IReadOnlyList<string> Stops { get; init; } = [];

    public int? MaxTokens { get; init; }

    public int Choices { get; init; } = 1;

    public bool Logprobs { get; init; }

    public int TopLogprobs { get; init; }

    /// <summary>OpenAI's <c>stream_options.include_usage</c>.</summary>
    public bool IncludeUsage { get; init; }

    public bool Obfuscate { get; init; }

    public string ServiceTier { get; init; } = "default";

    public long InputTokens { get; init; }

    public Marker? Find(string name) => Markers.FirstOrDefault(marker => marker.Name == name);

    public bool Has(string name) => Find(name) is not null;
}

/// <summary>Tokens of the stand-in's own making: words, so that a person can count along.</summary>
internal static class Words
{
    private static readonly char[] Breaks = [' ', '\n', '\r', '\t'];

    public const int PerMessage = 3;
    public const int PerImage = 85;

    public static int Count(string text) => text.Split(Breaks, StringSplitOptions.RemoveEmptyEntries).Length;

    /// <summary>The text in pieces that give it back when joined; each but the first begins with its space.</summary>
    public static IReadOnlyList<string> Pieces(string text)
    {
        var pieces = new List<string>();
        var start = 0;
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] != ' ') continue;
            pieces.Add(text[start..i]);
            start = i;
        }

        if (text.Length > 0) pieces.Add(text[start..]);
        return pieces;
    }
}
