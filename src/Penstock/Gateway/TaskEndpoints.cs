using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.Native;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Gateway;

/// <summary>Small tasks with a fixed form of answer: <c>/v1/classify</c> and <c>/v1/suggest</c>. Each is one call with a JSON schema.</summary>
internal sealed class TaskEndpoints(ChatPipeline pipeline, Router router)
{
    private const string DefaultModel = "fast";
    private const int MostLabels = 100;
    private const int MostSuggestions = 10;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/classify", ClassifyAsync);
        routes.MapPost("/v1/suggest", SuggestAsync);
    }

    private async Task ClassifyAsync(HttpContext http)
    {
        await using var passage = await pipeline.AdmitAsync(http);
        var bytes = await Bodies.ReadAsync(http, router.Options.MaxBodyBytes);
        var body = JsonView.Parse(bytes);
        body.AllowOnly("text", "labels", "multiple", "model");
        var text = body.Required("text").NonEmptyText();
        var labels = Labels(body.Required("labels"));
        var multiple = body.Optional("multiple")?.Flag() ?? false;
        var field = TaskSchema.Field(multiple);
        var instruction = multiple ? "Name every label that fits the text the user sends, or none." : "Name the one label that fits the text the user sends best.";

        var call = Call(body, field, $"{instruction} Labels: {string.Join(", ", labels)}.", TaskSchema.Of(field, labels, multiple), text);
        await AskAsync(http, passage, call, bytes, answer => multiple ? Texts(answer) : [answer.Text()], (named, receipt, target) =>
        {
            var chosen = named.Where(labels.Contains).Distinct().ToArray();
            if (!multiple && chosen.Length == 0) throw Unfit(target, "named none of the labels");
            return Json.WriteAsync(http, StatusCodes.Status200OK, json =>
            {
                if (multiple) TaskSchema.WriteArray(json, field, chosen);
                else json.WriteString(field, chosen[0]);
                WriteFoot(json, target, receipt);
            });
        });
    }

    private async Task SuggestAsync(HttpContext http)
    {
        await using var passage = await pipeline.AdmitAsync(http);
        var bytes = await Bodies.ReadAsync(http, router.Options.MaxBodyBytes);
        var body = JsonView.Parse(bytes);
        body.AllowOnly("text", "count", "model");
        var text = body.Required("text").NonEmptyText();
        var count = body.Optional("count")?.Whole(1, MostSuggestions) ?? 3;

        var call = Call(body, "suggestions", $"Suggest {count} short ways to go on from the text the user sends.", TaskSchema.Of("suggestions", null, true), text);
        await AskAsync(http, passage, call, bytes, Texts, (texts, receipt, target) => Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            TaskSchema.WriteArray(json, "suggestions", texts.Where(item => item.Length > 0).Take(count).ToArray());
            WriteFoot(json, target, receipt);
        }));
    }

    private static ChatCall Call(JsonView body, string field, string system, string schema, string text) => new()
    {
        Dialect = Dialect.Native,
        Model = body.Optional("model")?.NonEmptyText() ?? DefaultModel,
        Messages = [new ChatMessage(ChatRole.System, [new TextPart(system)]), new ChatMessage(ChatRole.User, [new TextPart(text)])],
        ResponseFormat = new ResponseFormat(field, schema, Strict: true),
    };

    private static string[] Texts(JsonView answer) => [.. answer.Items().Select(item => item.Text())];

    /// <param name="read">Reads the one field of the answer. What it refuses is the provider's to answer for, not the client's.</param>
    private Task AskAsync(HttpContext http, Limits.Passage passage, ChatCall call, ReadOnlyMemory<byte> body, Func<JsonView, string[]> read, Func<string[], Receipt, Target, Task> write) =>
        pipeline.AskAsync(http, passage, call, new CacheQuestion(RequestEdge.RouteOf(http), body, CacheQuestion.IgnoredBy(Dialect.Native)), (answer, receipt, target) =>
        {
            string[] texts;
            try
            {
                texts = read(JsonView.Parse(Encoding.UTF8.GetBytes(answer.First.Text)).Required(call.ResponseFormat!.Name!));
            }
            catch (RefusedException)
            {
                throw Unfit(target, "did not answer in the form asked for");
            }

            return write(texts, receipt, target);
        });

    private static RefusedException Unfit(Target target, string what) =>
        new(new Refusal(RefusalKind.ProviderFailed, "provider_answer_unfit", $"Model '{target.Model}' of provider '{target.Provider.Name}' {what}. Try again, or name another model."));

    private static string[] Labels(JsonView labels)
    {
        var found = labels.Items().Select(label => label.NonEmptyText()).ToArray();
        if (found.Length is < 2 or > MostLabels) throw labels.Bad($"must hold 2 to {MostLabels} labels");
        return found.Distinct().Count() == found.Length ? found : throw labels.Bad("must not name a label twice");
    }

    private static void WriteFoot(Utf8JsonWriter json, Target target, Receipt receipt)
    {
        json.WriteString("model", target.Model);
        json.WriteString("provider", target.Provider.Name);
        NativeUsage.Write(json, receipt);
    }
}
