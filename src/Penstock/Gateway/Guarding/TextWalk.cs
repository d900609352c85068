using System.Collections.Frozen;
using System.Text.Json;
using Penstock.Guards;

namespace Penstock.Gateway.Guarding;

/// <summary>Applies rules to the texts of a JSON value, each as a whole. What is named in a skip list is no text that anybody wrote.</summary>
internal sealed class TextWalk(GuardRules rules, GuardTally tally, JsonEdits edits, FrozenSet<string> skip)
{
    /// <summary>Shorter numbers are nobody's card or telephone.</summary>
    private const int ShortestNumber = 9;

    private enum Look
    {
        /// <summary>Every text but those of the skip list.</summary>
        Texts,

        /// <summary>A tool's arguments, or the client's own map: every value, numbers too, whatever its name.</summary>
        Values,

        /// <summary>A schema or the description of a tool: what explains, and not what is compared.</summary>
        Descriptions,
    }

    public void Walk(JsonElement value) => Walk(value, Look.Texts);

    /// <summary>Every member but <paramref name="except"/>.</summary>
    public void WalkMembers(JsonElement value, params ReadOnlySpan<string> except)
    {
        foreach (var member in value.EnumerateObject())
        {
            if (!except.Contains(member.Name)) WalkMember(value, member, Look.Texts);
        }
    }

    private void Walk(JsonElement value, Look look)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject()) WalkMember(value, member, look);
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray()) Walk(item, look);
                break;
            case JsonValueKind.String when look != Look.Descriptions:
                Apply(value);
                break;
            case JsonValueKind.Number when look == Look.Values:
                ApplyToNumber(value);
                break;
        }
    }

    private void WalkMember(JsonElement parent, JsonProperty member, Look look)
    {
        var (name, value) = (member.Name, member.Value);
        if (look == Look.Descriptions)
        {
            if (value.ValueKind == JsonValueKind.String)
            {
                if (name is "description" or "title" or "$comment") Apply(value);
            }
            else
            {
                Walk(value, name == "examples" && value.ValueKind == JsonValueKind.Array ? Look.Values : look);
            }
        }
        else if (look == Look.Values)
        {
            Walk(value, look);
        }
        else if (name == "name" && value.ValueKind == JsonValueKind.String && IsSpeaker(parent))
        {
            Apply(value);
        }
        else if (!skip.Contains(name) && !(name == "data" && IsEncoded(parent)))
        {
            WalkNamed(name, value);
        }
    }

    private void WalkNamed(string name, JsonElement value)
    {
        if (name == "arguments" && value.ValueKind == JsonValueKind.String) ApplyToArguments(value);
        else Walk(value, LookAt(name, value));
    }

    private static Look LookAt(string name, JsonElement value) => name switch
    {
        "arguments" or "metadata" or "input" or "variables" or "fields" when value.ValueKind == JsonValueKind.Object => Look.Values,
        "tools" or "functions" or "response_format" or "responseFormat" or "output_format" or "output_config" => Look.Descriptions,
        _ => Look.Texts,
    };

    /// <summary>Who speaks is a text of the client's; a tool's name is what it is called by.</summary>
    private static bool IsSpeaker(JsonElement parent) =>
        parent.TryGetProperty("role", out var role) && role.ValueKind == JsonValueKind.String && !role.ValueEquals("tool") && !role.ValueEquals("function");

    /// <summary>Of pictures, sound and sealed reasoning. The data of a document may as well be its text.</summary>
    private static bool IsEncoded(JsonElement parent) =>
        parent.TryGetProperty("mediaType", out _) || parent.TryGetProperty("format", out _)
        || (parent.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && (type.ValueEquals("base64") || type.ValueEquals("redacted_thinking")));

    private void Apply(JsonElement value)
    {
        var text = JsonEdits.TextOf(value);
        var shown = new GuardScan(rules, tally).Whole(text);
        if (shown != text) edits.Replace(value, JsonEdits.Quote(shown));
    }

    private void ApplyToArguments(JsonElement value)
    {
        var text = JsonEdits.TextOf(value);
        var scan = new ArgumentsScan(rules, tally);
        var shown = scan.Piece(text) + scan.End();
        if (shown != text) edits.Replace(value, JsonEdits.Quote(shown));
    }

    private void ApplyToNumber(JsonElement value)
    {
        var text = value.GetRawText();
        if (text.Length < ShortestNumber) return;
        var shown = new GuardScan(rules, tally).Whole(text);
        if (shown != text) edits.Replace(value, JsonEdits.Quote(shown));
    }
}
