using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Selecting;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Gateway;

/// <summary><c>POST /ai</c>: a prompt in, an answer out; a tier that is unknown is answered by <c>standard</c>, and the answer says so.</summary>
internal sealed class AiEndpoint(ChatPipeline pipeline, Router router, SelectionSection selection)
{
    private const string DefaultSystem = "You are a helpful DevOps assistant.";

    public void Map(IEndpointRouteBuilder routes) => routes.MapPost("/ai", AnswerAsync).WithMetadata(AiErrors.Instance);

    private async Task AnswerAsync(HttpContext http)
    {
        await using var passage = await pipeline.AdmitAsync(http);
        var body = await pipeline.ReadAsync(http, passage);
        var call = Read(JsonView.Parse(body));
        // The answer repeats the name that was asked for.
        var question = new CacheQuestion(RequestEdge.RouteOf(http), body, CacheQuestion.IgnoredBy(Dialect.Native)) { Others = [new("model", call.Model)] };
        await pipeline.AskAsync(http, passage, call, question, (answer, receipt, _) => Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteString("answer", answer.First.Text is { Length: > 0 } text ? text : answer.First.Refusal ?? "");
            json.WriteString("model", call.Model);
            json.WriteStartObject("tokens");
            json.WriteNumber("input", receipt.Tokens.TotalInput);
            json.WriteNumber("output", receipt.Tokens.TotalOutput);
            json.WriteEndObject();
        }));
    }

    private ChatCall Read(JsonView body)
    {
        body.AllowOnly("prompt", "model", "system");
        if (body.Optional("prompt") is not { } prompt || prompt.Text().Length == 0) throw new RefusedException(Refusal.Invalid("prompt", "prompt is required"));
        var model = body.Optional("model")?.Text() ?? RoutingTable.Standard;
        return new ChatCall
        {
            Dialect = Dialect.Native,
            Model = selection.Current.Names.Contains(model) || router.Knows(model, Router.Chat) ? model : RoutingTable.Standard,
            Messages =
            [
                new ChatMessage(ChatRole.System, [new TextPart(body.Optional("system")?.NonEmptyText() ?? DefaultSystem)]),
                new ChatMessage(ChatRole.User, [new TextPart(prompt.Text())]),
            ],
        };
    }

    private sealed class AiErrors : ErrorShape
    {
        public static readonly AiErrors Instance = new();

        public override void Write(Refusal refusal, RequestId request, Utf8JsonWriter json)
        {
            json.WriteStartObject();
            json.WriteString("error", refusal.Message);
            json.WriteEndObject();
        }
    }
}
