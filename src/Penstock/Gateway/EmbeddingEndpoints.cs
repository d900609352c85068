using System.Buffers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.Native;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Gateway;

/// <summary><c>/v1/embeddings</c> (OpenAI) and <c>/v1/embed</c> (native).</summary>
internal sealed class EmbeddingEndpoints(Embeddings embeddings, Router router)
{
    private const int MostInputs = 2048;
    private const int LongestUser = 512;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/embeddings", OpenAiAsync).WithMetadata(new OpenAiErrors());
        routes.MapPost("/v1/embed", NativeAsync);
    }

    private Task OpenAiAsync(HttpContext http)
    {
        OpenAiEmbedRequest? request = null;
        return embeddings.RunAsync(http, Read, WriteAsync);

        EmbedRequest Read(ReadOnlyMemory<byte> body)
        {
            request = OpenAiEmbeddings.Read(body);
            return new EmbedRequest(request.Model, request.Inputs, request.Dimensions, request.EndUser);
        }

        Task WriteAsync(EmbedAnswer answer, Receipt receipt, Attempt attempt)
        {
            Relay.AddHeaders(http.Response.Headers, attempt, receipt);
            var output = new ArrayBufferWriter<byte>(4096);
            OpenAiEmbeddings.Write(answer, request!.Base64, output);
            return Json.SendAsync(http, StatusCodes.Status200OK, output.WrittenMemory);
        }
    }

    private Task NativeAsync(HttpContext http) => embeddings.RunAsync(http, Read, (answer, receipt, attempt) =>
    {
        Relay.AddHeaders(http.Response.Headers, attempt, receipt);
        return Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("embeddings");
            foreach (var vector in answer.Vectors)
            {
                json.WriteStartArray();
                foreach (var value in vector) json.WriteNumberValue(value);
                json.WriteEndArray();
            }

            json.WriteEndArray();
            json.WriteString("model", answer.Model);
            json.WriteString("provider", attempt.Target.Provider.Name);
            NativeUsage.Write(json, receipt);
        });
    });

    private EmbedRequest Read(ReadOnlyMemory<byte> bytes)
    {
        var body = JsonView.Parse(bytes);
        body.AllowOnly("input", "model", "dimensions", "user");
        var input = body.Required("input");
        IReadOnlyList<string> inputs = input.Kind == System.Text.Json.JsonValueKind.String ? [input.NonEmptyText()] : [.. input.Items().Select(item => item.NonEmptyText())];
        if (inputs.Count is 0 or > MostInputs) throw input.Bad($"must hold 1 to {MostInputs} texts");
        return new EmbedRequest(body.Optional("model")?.NonEmptyText() ?? router.DefaultEmbedding, inputs, body.Optional("dimensions")?.Whole(1, 65_536), body.Optional("user") is { } user && user.Text().Length > 0 ? user.ShortText(LongestUser) : null);
    }
}
