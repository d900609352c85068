using System.Globalization;
using System.Text.Json;

namespace Penstock.Upstream.Bedrock;

/// <summary><c>invoke</c>: each maker's own body, and none but that. Titan's embeddings are answered; of the others, Llama's body is checked.</summary>
internal sealed class InvokeRoute(BedrockVendor vendor, string asked)
{
    private const int Dimensions = 1_024;

    public async Task HandleAsync(Exchange exchange, ReadOnlyMemory<byte> body)
    {
        vendor.AddHeaders(exchange);
        try
        {
            vendor.Authenticate(exchange.Http.Request);
            var model = BedrockModel.Find(asked);
            exchange.Note(call => call with { Model = asked });
            using var json = Parse(body);
            var root = new Field(json.RootElement, "", BedrockWording.Instance);
            if (model.Maker == Maker.Titan) await EmbedAsync(root, exchange);
            else if (model.Maker == Maker.Llama) CheckLlama(root);
            if (model.Maker != Maker.Titan) throw BedrockWording.Refuse("stand-in: chats are answered by converse only");
        }
        catch (VendorRefusal refusal)
        {
            vendor.Mark(refusal, exchange.Http.Response);
            exchange.Http.Response.StatusCode = refusal.Status;
            exchange.Close(SeenOutcome.Refused);
            await exchange.SendAsync(refusal.Status, vendor.Error(refusal, exchange.Number));
        }
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

    private static void CheckLlama(Field body)
    {
        if (body.Optional("prompt") is null) throw BedrockWording.Refuse("Malformed input request: #: required key [prompt] not found, please reformat your input and try again.");
        body.Only("prompt", "temperature", "top_p", "max_gen_len", "images");
    }

    private static async Task EmbedAsync(Field body, Exchange exchange)
    {
        var text = body.Only("inputText", "dimensions", "normalize", "embeddingTypes").Required("inputText").Text();
        if (text.Length is 0 or > 50_000) throw BedrockWording.Refuse("Malformed input request: expected minLength: 1, actual: 0, please reformat your input and try again.");
        var length = body.Optional("dimensions")?.Whole(1, Dimensions) ?? Dimensions;
        if (length is not (256 or 512 or 1_024)) throw BedrockWording.Refuse("Malformed input request: dimensions must be one of 256, 512, 1024");
        var tokens = Words.Count(text);
        var billed = new BilledTokens(tokens, 0, 0, 0, 0, 0);
        exchange.Http.Response.Headers["X-Amzn-Bedrock-Input-Token-Count"] = tokens.ToString(CultureInfo.InvariantCulture);
        exchange.Close(SeenOutcome.Answered, billed, usageSent: true);
        await exchange.SendAsync(200, Exchange.Json(json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("embedding");
            foreach (var number in OpenAi.OpenAiEmbeddings.Vector(text, length)) json.WriteNumberValue(number);
            json.WriteEndArray();
            json.WriteNumber("inputTextTokenCount", tokens);
            json.WriteEndObject();
        }));
    }
}
