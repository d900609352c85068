using System.Buffers;
using System.Text.Json;

namespace Penstock.Gateway.Wire.OpenAi;

/// <param name="Created">When the model came to be known; shown in seconds since 1970.</param>
/// <param name="OwnedBy">The provider that answers for it.</param>
internal sealed record OpenAiModel(string Id, DateTimeOffset Created, string OwnedBy);

/// <summary>The answers of <c>/v1/models</c> and <c>/v1/models/{id}</c>.</summary>
internal static class OpenAiModels
{
    public static void WriteList(IEnumerable<OpenAiModel> models, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, OpenAiChunks.Json);
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var model in models) Write(model, json);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    public static void WriteOne(OpenAiModel model, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, OpenAiChunks.Json);
        Write(model, json);
    }

    private static void Write(OpenAiModel model, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", model.Id);
        json.WriteString("object", "model");
        json.WriteNumber("created", model.Created.ToUnixTimeSeconds());
        json.WriteString("owned_by", model.OwnedBy);
        json.WriteEndObject();
    }
}
