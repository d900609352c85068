using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Penstock.Upstream.OpenAi;

/// <summary><c>/v1/embeddings</c>: unit vectors that depend on nothing but the text and their length.</summary>
internal sealed class OpenAiEmbeddings(IReadOnlyList<Model> models, OpenAiVendor vendor)
{
    private const int MostInputs = 2_048;

    public async Task HandleAsync(Exchange exchange, ReadOnlyMemory<byte> body)
    {
        vendor.AddHeaders(exchange);
        try
        {
            vendor.Authenticate(exchange.Http.Request);
            using var document = Parse(body);
            await AnswerAsync(new Field(document.RootElement, "", OpenAiWording.Instance), exchange);
        }
        catch (VendorRefusal refusal)
        {
            exchange.Http.Response.StatusCode = refusal.Status;
            exchange.Close(SeenOutcome.Refused);
            await exchange.SendAsync(refusal.Status, vendor.Error(refusal, exchange.Number));
        }
    }

    /// <summary>The vector of <paramref name="text"/>; of unit length, single precision.</summary>
    public static float[] Vector(string text, int dimensions)
    {
        var vector = new float[dimensions];
        var seed = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        Span<byte> block = stackalloc byte[seed.Length + sizeof(int)];
        Span<byte> noise = stackalloc byte[SHA256.HashSizeInBytes];
        seed.CopyTo(block);
        for (var i = 0; i < dimensions; i += SHA256.HashSizeInBytes / sizeof(short))
        {
            BinaryPrimitives.WriteInt32LittleEndian(block[seed.Length..], i);
            SHA256.HashData(block, noise);
            for (var j = i; j < Math.Min(dimensions, i + (SHA256.HashSizeInBytes / sizeof(short))); j++)
                vector[j] = BinaryPrimitives.ReadInt16LittleEndian(noise[((j - i) * sizeof(short))..]);
        }

        var length = MathF.Sqrt(vector.Sum(value => value * value));
        return [.. vector.Select(value => value / length)];
    }

    private JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body);
        }
        catch (JsonException)
        {
            throw vendor.NotJson();
        }
    }

    private async Task AnswerAsync(Field body, Exchange exchange)
    {
        body.Only("input", "model", "dimensions", "encoding_format", "user");
        var name = body.Optional("model")?.Text() ?? throw OpenAiWording.Refuse("you must provide a model parameter");
        var model = models.FirstOrDefault(model => model.Name == name)
            ?? throw new VendorRefusal(404, "invalid_request_error", $"The model `{name}` does not exist or you do not have access to it.", null, "model_not_found");
        if (model.Dimensions == 0) throw new VendorRefusal(403, "invalid_request_error", $"You are not allowed to generate embeddings from this model: {name}");
        body.Optional("user")?.Text();
        var base64 = body.Optional("encoding_format")?.OneOf("float", "base64") == "base64";
        var dimensions = body.Optional("dimensions")?.Whole(1, model.Dimensions) ?? model.Dimensions;
        if (name == "text-embedding-ada-002" && body.Optional("dimensions") is not null) throw OpenAiWording.Refuse("This model does not support specifying dimensions.");
        var inputs = ReadInputs(body.Required("input"));
        var billed = new BilledTokens(inputs.Sum(Words.Count), 0, 0, 0, 0, 0);
        exchange.Note(call => call with { Model = name, Billed = billed });
        if (await MarkedAsync(inputs[0], name, exchange)) return;

        exchange.Close(SeenOutcome.Answered, billed, usageSent: true);
        await exchange.SendAsync(200, Write(inputs, name, dimensions, base64, billed));
    }

    /// <summary>A failure or silence ordered by a marker in the first input; true where it ended the call.</summary>
    private async Task<bool> MarkedAsync(string text, string model, Exchange exchange)
    {
        var markers = Marker.In(text, model);
        if (markers.FirstOrDefault(marker => marker.Name == "silent") is { } silent) await exchange.WaitAsync(silent.Value(0, 3_000));
        if (markers.FirstOrDefault(marker => marker.Name is "status" or "insufficient_quota") is not { } order) return false;
        if (order.Options.TryGetValue("retry-after", out var after)) exchange.Http.Response.Headers.RetryAfter = after;
        var failure = order.Name == "status" ? vendor.Failure(order.Value(0, 500), model) : vendor.QuotaSpent(order);
        exchange.Http.Response.StatusCode = failure.Status;
        exchange.Close(SeenOutcome.Failed, default(BilledTokens));
        await exchange.SendAsync(failure.Status, vendor.Error(failure, exchange.Number));
        return true;
    }

    private static IReadOnlyList<string> ReadInputs(Field input)
    {
        if (input.Kind == JsonValueKind.String) return [NotEmpty(input, input.Text())];
        var items = input.Items(1, MostInputs);

        // Token arrays: one of numbers, or several.
        if (items[0].Kind == JsonValueKind.Number) return [Tokens(items)];
        return [.. items.Select(item => item.Kind == JsonValueKind.Array ? Tokens(item.Items(1)) : NotEmpty(item, item.Text()))];
    }

    private static string Tokens(IReadOnlyList<Field> tokens) => string.Join(' ', tokens.Select(token => token.Whole(0, int.MaxValue)));

    private static string NotEmpty(Field input, string text) => text.Length > 0 ? text : throw OpenAiWording.Refuse($"'$.{input.Path}' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.");

    private static byte[] Write(IReadOnlyList<string> inputs, string model, int dimensions, bool base64, BilledTokens billed) => Exchange.Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        for (var i = 0; i < inputs.Count; i++)
        {
            json.WriteStartObject();
            json.WriteString("object", "embedding");
            json.WriteNumber("index", i);
            WriteVector(json, Vector(inputs[i], dimensions), base64);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("model", model);
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", billed.Input);
        json.WriteNumber("total_tokens", billed.Input);
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static void WriteVector(Utf8JsonWriter json, float[] vector, bool base64)
    {
        if (!base64)
        {
            json.WriteStartArray("embedding");
            foreach (var value in vector) json.WriteNumberValue(value);
            json.WriteEndArray();
            return;
        }

        var bytes = new byte[vector.Length * sizeof(float)];
        for (var i = 0; i < vector.Length; i++) BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
        json.WriteBase64String("embedding", bytes);
    }
}
