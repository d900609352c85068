using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Http;
using Penstock.Usage;

namespace Penstock.Aws.Bedrock;

/// <summary>Vectors by <c>invoke</c>, in the model's own form: Titan takes one text a call, Cohere up to 96.</summary>
internal sealed class BedrockEmbeddings(BedrockFaults faults, ITokenCounter tokens)
{
    private const int MostAtOnce = 8;
    private const int MostCohereTexts = 96;

    public async Task<EmbedAnswer> AskAsync(EmbedCall call, Func<ReadOnlyMemory<byte>, CancellationToken, Task<UpstreamAnswer>> post, CancellationToken ct)
    {
        var model = new BedrockModel(call.Model);
        if (call.Dimensions is not null && (model.IsCohere || model.IsFirstTitan)) throw new RefusedException(Refusal.CannotCross("dimensions", $"model '{call.Model}'", "Its vectors have one length; leave it out."));
        var pieces = call.Inputs.Chunk(model.IsCohere ? MostCohereTexts : 1).ToArray();
        var parts = new Part?[pieces.Length];
        try
        {
            await Parallel.ForEachAsync(Enumerable.Range(0, pieces.Length), new ParallelOptions { MaxDegreeOfParallelism = MostAtOnce, CancellationToken = ct }, async (i, stop) =>
            {
                await using var answer = await post(Write(model, pieces[i], call.Dimensions), stop);
                parts[i] = Read(await answer.ReadAllAsync(stop), answer, model, pieces[i]);
            });
        }
        catch (ProviderException e) when (Array.Exists(parts, part => part is not null))
        {
            // Some of it was done, and is billed: a status would say that nothing was.
            throw new ProviderException(e.Fault, e.Message, null, e.Code, e.Field, e.RetryAfter, e);
        }

        return new EmbedAnswer(
            [.. parts.SelectMany(part => part!.Vectors)],
            call.Model,
            TokenCounts.Of(parts.Sum(part => part!.Tokens), 0),
            Estimated: Array.Exists(parts, part => part!.Estimated));
    }

    private static ReadOnlyMemory<byte> Write(BedrockModel model, string[] texts, int? dimensions)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(output, ConverseRequest.Json);
        json.WriteStartObject();
        if (model.IsCohere)
        {
            json.WriteStartArray("texts");
            foreach (var text in texts) json.WriteStringValue(text);
            json.WriteEndArray();
            json.WriteString("input_type", "search_document");
        }
        else
        {
            json.WriteString("inputText", texts[0]);
            if (dimensions is { } length) json.WriteNumber("dimensions", length);
            if (!model.IsFirstTitan) json.WriteBoolean("normalize", true);
        }

        json.WriteEndObject();
        json.Flush();
        return output.WrittenMemory;
    }

    private Part Read(ReadOnlyMemory<byte> body, UpstreamAnswer answer, BedrockModel model, string[] texts)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            var root = json.RootElement;
            float[][] vectors = model.IsCohere ? [.. root.GetProperty("embeddings").EnumerateArray().Select(Vector)] : [Vector(root.GetProperty("embedding"))];
            if (vectors.Length != texts.Length || Array.Exists(vectors, vector => vector.Length == 0 || !Array.TrueForAll(vector, float.IsFinite))) throw new FormatException("no vectors");
            var counted = Told(answer) ?? (root.TryGetProperty("inputTextTokenCount", out var count) ? count.GetInt64() : (long?)null);
            return new Part(vectors, counted ?? texts.Sum(text => tokens.CountText(text, model.Id)), counted is null);
        }
        catch (Exception e) when (BedrockProvider.IsMalformed(e))
        {
            throw faults.Broken("sent embeddings that are not what its protocol says", e);
        }
    }

    private static float[] Vector(JsonElement numbers) => [.. numbers.EnumerateArray().Select(number => number.GetSingle())];

    private static long? Told(UpstreamAnswer answer) =>
        answer.Headers.TryGetValues("x-amzn-bedrock-input-token-count", out var values) && long.TryParse(values.First(), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : null;

    private sealed record Part(float[][] Vectors, long Tokens, bool Estimated);
}
