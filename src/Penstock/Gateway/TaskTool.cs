using System.Text;
using System.Text.Json;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tools;

namespace Penstock.Gateway;

/// <summary>
/// A tool that asks a model, through the pipeline as any call does: under the caller's limits and budgets, and in its ledger. It lives here because the pipeline
/// does; <see cref="Tools"/> knows it as one tool among others.
/// </summary>
internal abstract class TaskTool(ChatPipeline pipeline) : ITool
{
    protected const string DefaultModel = "fast";

    public abstract ToolSpec Spec { get; }

    public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
    {
        var http = call.Http;
        var before = http.RequestAborted;
        // The pipeline stops where the request does: now that is where the tool's time ends, too.
        http.RequestAborted = ct;
        try
        {
            ToolResult? result = null;
            await pipeline.AskAsync(http, call.Passage, Ask(call.Arguments), null, (answer, receipt, target) =>
            {
                result = new ToolResult(Read(call.Arguments, answer.First, target), receipt.Cost);
                return Task.CompletedTask;
            });
            return result!.Value;
        }
        finally
        {
            http.RequestAborted = before;
        }
    }

    protected abstract ChatCall Ask(JsonView arguments);

    /// <summary>Throws 502 where the answer is not what was asked for.</summary>
    protected abstract JsonElement Read(JsonView arguments, FoldedChoice answer, Target target);

    protected static ToolSpec Of(string name, string description, string input, string output) => new()
    {
        Name = name,
        Description = description,
        // A second call costs again and may answer otherwise, but nothing is changed by it.
        Effect = ToolEffect.Pure,
        Timeout = TimeSpan.FromMinutes(2),
        Cost = null,
        Needs = Scopes.Complete,
        Input = JsonSchema.Parse(input),
        Output = JsonSchema.Parse(output),
    };

    protected static ChatCall Ask(JsonView arguments, string system, ResponseFormat? format) => new()
    {
        Dialect = Dialect.Native,
        Model = arguments.Optional("model")?.Text() ?? DefaultModel,
        Messages = [new ChatMessage(ChatRole.System, [new TextPart(system)]), new ChatMessage(ChatRole.User, [new TextPart(arguments.Required("text").Text())])],
        ResponseFormat = format,
    };

    /// <summary>The answer as the one object that was asked for.</summary>
    protected static JsonView ReadObject(FoldedChoice answer, Target target)
    {
        try
        {
            return JsonView.Parse(Encoding.UTF8.GetBytes(answer.Text));
        }
        catch (RefusedException)
        {
            throw Unfit(target, answer.Reason == FinishReason.Length ? "ran out of output tokens before its answer was whole" : "did not answer in the form asked for");
        }
    }

    protected static RefusedException Unfit(Target target, string what) =>
        new(new Refusal(RefusalKind.ProviderFailed, "provider_answer_unfit", $"Model '{target.Model}' of provider '{target.Provider.Name}' {what}. Try again, or name another model."));
}
