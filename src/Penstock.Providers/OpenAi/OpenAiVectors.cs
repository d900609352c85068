using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Penstock.Gateway;

namespace Penstock.Providers.OpenAi;

/// <summary>Writes the body of <c>POST /embeddings</c> and reads its answer.</summary>
internal static class OpenAiVectors
{
    public static ReadOnlyMemory<byte> Write(EmbedCall call)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(output, OpenAiRequest.Json);
        json.WriteStartObject();
        json.WriteString("model", call.Model);
        json.WriteStartArray("input");
        foreach (var input in call.Inputs) json.WriteStringValue(input);
        json.WriteEndArray();
        // A third of the bytes that digits would take.
        json.WriteString("encoding_format", "base64");
        if (call.Dimensions is { } dimensions) json.WriteNumber("dimensions", dimensions);
        if (call.EndUser is { } user) json.WriteString("user", user);
        json.WriteEndObject();
        json.Flush();
        return output.WrittenMemory;
    }

    /// <summary>The vectors in the order of the inputs, the model, and the input tokens where the provider counted them.</summary>
    public static (float[][] Vectors, string Model, long? Tokens) Read(ReadOnlyMemory<byte> body, EmbedCall call, OpenAiFaults faults)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (OpenAiText.Member(root, "data") is not { ValueKind: JsonValueKind.Array } data)
                throw OpenAiText.Member(root, "error") is { } error ? faults.InBand(error) : faults.Broken("sent embeddings without 'data'");
            var vectors = new float[call.Inputs.Count][];
            var position = 0;
            foreach (var item in data.EnumerateArray()) Place(item, position++, vectors, faults);
            if (vectors.Any(vector => vector is null)) throw faults.Broken($"sent {position} embeddings for {vectors.Length} inputs");
            var model = OpenAiText.String(root, "model") is { Length: > 0 } named ? named : call.Model;
            var usage = OpenAiText.Member(root, "usage") is { } given ? OpenAiUsage.Read(given) : null;
            return (vectors, model, usage?.TotalInput);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw faults.Broken("sent embeddings that are not what its protocol says", e);
        }
    }

    private static void Place(JsonElement item, int position, float[][] vectors, OpenAiFaults faults)
    {
        var index = OpenAiText.Index(item, "index") ?? position;
        if (index >= vectors.Length || vectors[index] is not null) throw faults.Broken("sent an embedding for no input of the request");
        // Servers that do not know base64 send digits.
        var vector = OpenAiText.Member(item, "embedding") switch
        {
            { ValueKind: JsonValueKind.String } text => Decode(text.GetBytesFromBase64()),
            { ValueKind: JsonValueKind.Array } numbers => [.. numbers.EnumerateArray().Select(number => number.GetSingle())],
            _ => [],
        };
        if (vector.Length == 0 || !Array.TrueForAll(vector, float.IsFinite)) throw faults.Broken("sent an embedding that is no vector");
        vectors[index] = vector;
    }

    private static float[] Decode(byte[] bytes)
    {
        if (bytes.Length % sizeof(float) != 0) return [];
        var vector = new float[bytes.Length / sizeof(float)];
        for (var i = 0; i < vector.Length; i++) vector[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(i * sizeof(float)));
        return vector;
    }
}
