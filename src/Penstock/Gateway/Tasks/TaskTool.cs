using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tools;

namespace Penstock.Gateway.Tasks;

/// <summary>
/// A task as a tool: through the pipeline as any call, under the caller's limits, budgets and guard rules, and in its ledger. It lives here because the pipeline
/// does; the tools' own slice knows it as one tool among others.
/// </summary>
/// <param name="begin">Looks at the arguments before anybody is asked; what it gives makes the output of the task's own answer.</param>
internal sealed class TaskTool(TaskCalls tasks, TextTask task, ToolSpec spec, Func<JsonView, Func<JsonView, JsonElement>> begin) : ITool
{
    public ToolSpec Spec => spec;

    public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
    {
        var read = begin(call.Arguments);
        var http = call.Http;
        var before = http.RequestAborted;
        // The pipeline stops where the request does: now that is where the tool's time ends, too.
        http.RequestAborted = ct;
        try
        {
            var (answer, cost) = await tasks.AskAsync(http, call.Passage, task, call.Arguments);
            return new ToolResult(read(new JsonView(JsonOutput.Of(answer), "")), cost);
        }
        finally
        {
            http.RequestAborted = before;
        }
    }

    public static ToolSpec Of(string name, string description, string input, string output) => new()
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
}
