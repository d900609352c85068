using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.OpenAi;

/// <param name="Base64">Vectors are wanted as base64 of little-endian 32-bit floats; the official clients ask for that by default.</param>
internal sealed record OpenAiEmbedRequest(string Model, IReadOnlyList<string> Inputs, int? Dimensions, bool Base64, string? EndUser);

/// <summary>The client's side of <c>/v1/embeddings</c>.</summary>
internal static class OpenAiEmbeddings
{
    private const int MostInputs = 2048;
    private const int MostDimensions = 65_536;

    /// <summary>Throws <see cref="RefusedException"/> (400) that names the field. Unknown fields are refused, because nothing passes unread here.</summary>
    public static OpenAiEmbedRequest Read(ReadOnlyMemory<byte> body)
    {
        var root = JsonView.Parse(body);
        foreach (var (name, value) in root.Members())
        {
            if (name is not ("input" or "model" or "encoding_format" or "dimensions" or "user") && value.Kind != JsonValueKind.Null)
                throw new RefusedException(Refusal.Invalid(OpenAiFields.Brief(name), $"'{OpenAiFields.Brief(name)}' is not a field of an embeddings request; remove it. Known here: input, model, encoding_format, dimensions, user."));
        }

        return new OpenAiEmbedRequest(
            OpenAiFields.ShortText(root.Required("model"), 256),
            ReadInputs(root.Required("input")),
            root.Optional("dimensions")?.Whole(1, MostDimensions),
            root.Optional("encoding_format")?.OneOf("float", "base64") == "base64",
            root.Optional("user") is { } user ? OpenAiFields.ShortText(user, 512) : null);
    }

    public static void Write(EmbedAnswer answer, bool base64, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, OpenAiChunks.Json);
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        for (var i = 0; i < answer.Vectors.Count; i++)
        {
            json.WriteStartObject();
            json.WriteString("object", "embedding");
            json.WriteNumber("index", i);
            if (base64) json.WriteBase64String("embedding", LittleEndian(answer.Vectors[i]));
            else WriteFloats(answer.Vectors[i], json);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("model", answer.Model);
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", answer.Tokens.TotalInput);
        json.WriteNumber("total_tokens", answer.Tokens.Total);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static IReadOnlyList<string> ReadInputs(JsonView input)
    {
        if (input.Kind == JsonValueKind.String) return [input.NonEmptyText()];
        if (input.Kind != JsonValueKind.Array) throw input.Bad("must be a string or an array of strings");
        if (input.Count == 0) throw OpenAiFields.Refuse(input, "'input' is empty; give at least one text.");
        if (input.Element[0].ValueKind is JsonValueKind.Number or JsonValueKind.Array)
            throw OpenAiFields.Refuse(input, "'input' holds token numbers, which mean something to one tokenizer only; send text.");
        if (input.Count > MostInputs) throw OpenAiFields.Refuse(input, $"'input' has {input.Count} texts; at most {MostInputs} are taken at once.");
        return [.. input.Items().Select(item => item.NonEmptyText())];
    }

    private static ReadOnlySpan<byte> LittleEndian(float[] vector)
    {
        if (BitConverter.IsLittleEndian) return MemoryMarshal.AsBytes<float>(vector);
        var bytes = new byte[vector.Length * sizeof(float)];
        for (var i = 0; i < vector.Length; i++) BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
        return bytes;
    }

    private static void WriteFloats(float[] vector, Utf8JsonWriter json)
    {
        json.WriteStartArray("embedding");
        foreach (var value in vector) json.WriteNumberValue(value);
        json.WriteEndArray();
    }
}
