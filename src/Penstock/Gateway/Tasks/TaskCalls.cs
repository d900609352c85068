using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.Native;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Limits;
using Penstock.Prompts;

namespace Penstock.Gateway.Tasks;

/// <summary>Makes the call of a task: the template of its use case, the pipeline, and the answer read back.</summary>
internal sealed class TaskCalls(ChatPipeline pipeline, PromptLibrary prompts)
{
    /// <param name="input">The task's own object, which may stand inside of <paramref name="body"/>.</param>
    /// <param name="body">The whole request, by which the cache knows it.</param>
    /// <param name="write">Is given what writes the answer's members.</param>
    public async Task RunAsync(HttpContext http, Passage passage, TextTask task, JsonView input, ReadOnlyMemory<byte> body, Func<Action<Utf8JsonWriter>, Task> write)
    {
        var (ask, call) = await ReadAsync(http, passage, task, input);
        await pipeline.AskAsync(http, passage, call, CacheQuestion.Of(RequestEdge.RouteOf(http), call) with { Body = body }, (answer, receipt, target) =>
        {
            var members = MembersOf(ask, answer, target);
            return write(json =>
            {
                members(json);
                WriteFoot(json, call, target, receipt);
            });
        });
    }

    /// <summary>As <see cref="RunAsync"/>, for an answer that is part of another: nothing goes out, and the cache, which keeps whole responses, is left alone.</summary>
    /// <returns>What writes the answer's own members, and what it cost.</returns>
    public async Task<(Action<Utf8JsonWriter> Members, Money Cost)> AskAsync(HttpContext http, Passage passage, TextTask task, JsonView input)
    {
        var (ask, call) = await ReadAsync(http, passage, task, input);
        (Action<Utf8JsonWriter> Members, Money Cost)? answered = null;
        await pipeline.AskAsync(http, passage, call, null, (answer, receipt, target) =>
        {
            answered = (MembersOf(ask, answer, target), receipt.Cost);
            return Task.CompletedTask;
        });
        return answered!.Value;
    }

    private async Task<(TaskAsk Ask, ChatCall Call)> ReadAsync(HttpContext http, Passage passage, TextTask task, JsonView input)
    {
        input.AllowOnly(["text", "model", "template", .. task.Fields]);
        var ask = task.Read(input);
        var template = await FindAsync(passage, task, input, http.RequestAborted);
        return (ask, Call(template, ask, input.Optional("model")?.NonEmptyText()));
    }

    private static Action<Utf8JsonWriter> MembersOf(TaskAsk ask, AnswerFold answer, Target target)
    {
        var result = ask.Read(answer.First);
        return result.Members ?? throw Unfit(target, result.Unfit!);
    }

    private async ValueTask<PromptTemplate> FindAsync(Passage passage, TextTask task, JsonView input, CancellationToken ct)
    {
        var useCase = task.Name;
        var reference = input.Optional("template") is { } named ? PromptReference.Parse(named.Text(), named.Path) : PromptReference.Of(useCase);
        var template = await prompts.FindAsync(passage.Caller.Tenant, reference, ct);
        return template.UseCase == useCase
            ? template
            : throw new RefusedException(Refusal.Invalid("template", $"Template '{template.Id}' is there to {template.UseCase}, and this asks to {useCase}. GET /v1/prompts lists the templates and what they are for."));
    }

    private static ChatCall Call(PromptTemplate template, TaskAsk ask, string? model)
    {
        var values = ask.Values.Where(value => template.Variables.Any(variable => variable.Name == value.Key)).ToDictionary();
        return new ChatCall
        {
            Dialect = Dialect.Native,
            Model = model ?? template.Model,
            Messages = TemplateCalls.Messages(template.Render(values), []),
            ResponseFormat = ask.Format(template),
            MaxOutputTokens = template.MaxOutputTokens,
            Template = template.Id,
        };
    }

    private static void WriteFoot(Utf8JsonWriter json, ChatCall call, Target target, Receipt receipt)
    {
        json.WriteString("model", target.Model);
        json.WriteString("provider", target.Provider.Name);
        json.WriteString("template", call.Template.ToString());
        NativeUsage.Write(json, receipt);
    }

    private static RefusedException Unfit(Target target, string what) =>
        new(new Refusal(RefusalKind.ProviderFailed, "provider_answer_unfit", $"Model '{target.Model}' of provider '{target.Provider.Name}' {what}. Try again, or name another model."));
}
