using System.Text.Json;
using Penstock.Upstream.Anthropic;
using Penstock.Upstream.OpenAi;

namespace Penstock.Upstream;

/// <summary><c>GET /v1/models</c> and <c>/v1/models/{id}</c>: Anthropic's where the request carries its version header, else OpenAI's.</summary>
internal sealed class ModelRoutes(Models models, OpenAiVendor openAi, AnthropicVendor anthropic)
{
    private const long Born = 1_735_689_600;

    public async Task HandleAsync(Exchange exchange)
    {
        var request = exchange.Http.Request;
        var ofAnthropic = request.Headers.ContainsKey("anthropic-version");
        IVendor vendor = ofAnthropic ? anthropic : openAi;
        vendor.AddHeaders(exchange);
        try
        {
            vendor.Authenticate(request);
            var known = ofAnthropic ? models.Anthropic : models.OpenAi;
            var id = request.Path.Value!["/v1/models".Length..].TrimStart('/');
            var bytes = id.Length == 0
                ? Exchange.Json(json => WriteList(json, known, ofAnthropic))
                : known.FirstOrDefault(model => model.Name == id) is { } one
                    ? Exchange.Json(json => WriteOne(json, one, ofAnthropic))
                    : throw (ofAnthropic ? new VendorRefusal(404, "not_found_error", $"model: {id}") : new VendorRefusal(404, "invalid_request_error", $"The model '{id}' does not exist", "model", "model_not_found"));
            exchange.Close(SeenOutcome.Answered);
            await exchange.SendAsync(200, bytes);
        }
        catch (VendorRefusal refusal)
        {
            exchange.Http.Response.StatusCode = refusal.Status;
            exchange.Close(SeenOutcome.Refused);
            await exchange.SendAsync(refusal.Status, vendor.Error(refusal, exchange.Number));
        }
    }

    private static void WriteList(Utf8JsonWriter json, IReadOnlyList<Model> known, bool ofAnthropic)
    {
        json.WriteStartObject();
        if (!ofAnthropic) json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var model in known) WriteOne(json, model, ofAnthropic);
        json.WriteEndArray();
        if (ofAnthropic)
        {
            json.WriteBoolean("has_more", false);
            json.WriteString("first_id", known[0].Name);
            json.WriteString("last_id", known[^1].Name);
        }

        json.WriteEndObject();
    }

    private static void WriteOne(Utf8JsonWriter json, Model model, bool ofAnthropic)
    {
        json.WriteStartObject();
        json.WriteString("id", model.Name);
        if (ofAnthropic)
        {
            json.WriteString("type", "model");
            json.WriteString("display_name", model.Name);
            json.WriteString("created_at", "2025-01-01T00:00:00Z");
        }
        else
        {
            json.WriteString("object", "model");
            json.WriteNumber("created", Born);
            json.WriteString("owned_by", "system");
        }

        json.WriteEndObject();
    }
}
