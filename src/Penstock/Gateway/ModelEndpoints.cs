using System.Buffers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Gateway;

/// <summary><c>/v1/models</c>: what the caller's key can name now. A client that sends <c>anthropic-version</c> is answered in Anthropic's shape.</summary>
internal sealed class ModelEndpoints(KeyRing keys, Router router)
{
    private const string AnthropicVersion = "anthropic-version";

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/models", ListAsync).WithMetadata(new OpenAiErrors());
        routes.MapGet("/v1/models/{**model}", GetAsync).WithMetadata(new OpenAiErrors());
    }

    private async Task ListAsync(HttpContext http)
    {
        var models = Visible(await keys.AuthenticateAsync(http));
        var output = new ArrayBufferWriter<byte>(4096);
        if (http.Request.Headers.ContainsKey(AnthropicVersion)) AnthropicLists.WriteModels([.. models.Select(Anthropic)], output);
        else OpenAiModels.WriteList(models.Select(OpenAi), output);
        await Json.SendAsync(http, StatusCodes.Status200OK, output.WrittenMemory);
    }

    private async Task GetAsync(HttpContext http)
    {
        var models = Visible(await keys.AuthenticateAsync(http));
        var id = (string)http.Request.RouteValues["model"]!;
        var model = models.FirstOrDefault(found => found.Name == id);
        if (model.Name is null) throw new RefusedException(new Refusal(RefusalKind.NotFound, "model_not_found", "There is no such model. GET /v1/models lists what there is.") { Field = "model" });
        var output = new ArrayBufferWriter<byte>(256);
        if (http.Request.Headers.ContainsKey(AnthropicVersion)) AnthropicLists.WriteModel(Anthropic(model), output);
        else OpenAiModels.WriteOne(OpenAi(model), output);
        await Json.SendAsync(http, StatusCodes.Status200OK, output.WrittenMemory);
    }

    private IReadOnlyList<(string Name, string Owner)> Visible(Caller caller) =>
        caller.Key.Models is { Count: > 0 } allowed ? [.. router.Models().Where(model => allowed.Contains(model.Name))] : router.Models();

    private static ListedModel Anthropic((string Name, string Owner) model) => new(model.Name, model.Name, DateTimeOffset.UnixEpoch);

    private static OpenAiModel OpenAi((string Name, string Owner) model) => new(model.Name, DateTimeOffset.UnixEpoch, model.Owner);
}
