using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Penstock.Gateway.Wire.Anthropic;

/// <param name="Id">As clients name it in requests.</param>
/// <param name="Known">When it became known, UTC; the epoch where nobody says.</param>
internal sealed record ListedModel(string Id, string DisplayName, DateTimeOffset Known);

/// <summary>The answers around <c>/v1/messages</c>: counts and the list of models.</summary>
internal static class AnthropicLists
{
    public static void WriteCount(long inputTokens, IBufferWriter<byte> output) => AnthropicFrames.WriteJson(output, json =>
    {
        json.WriteStartObject();
        json.WriteNumber("input_tokens", inputTokens);
        json.WriteEndObject();
    });

    /// <summary>All at once: there is never a next page.</summary>
    public static void WriteModels(IReadOnlyList<ListedModel> models, IBufferWriter<byte> output) => AnthropicFrames.WriteJson(output, json =>
    {
        json.WriteStartObject();
        json.WriteStartArray("data");
        foreach (var model in models) Write(model, json);
        json.WriteEndArray();
        json.WriteBoolean("has_more", false);
        json.WriteString("first_id", models.Count > 0 ? models[0].Id : null);
        json.WriteString("last_id", models.Count > 0 ? models[^1].Id : null);
        json.WriteEndObject();
    });

    public static void WriteModel(ListedModel model, IBufferWriter<byte> output) => AnthropicFrames.WriteJson(output, json => Write(model, json));

    private static void Write(ListedModel model, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "model");
        json.WriteString("id", model.Id);
        json.WriteString("display_name", model.DisplayName);
        json.WriteString("created_at", model.Known.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        json.WriteEndObject();
    }
}
