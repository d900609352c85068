using Penstock.Kernel;

namespace Penstock.Tools.Functions;

/// <summary>
/// A tool of ours that is carried out by a function elsewhere. To its callers it is the tool it was: the same contract, the same place in flight, and a price
/// that is held and booked here. What the tool meters, such as a model's tokens, is booked by the function on the same key's account, which tells what it came to.
/// </summary>
internal sealed class FunctionTool(ITool tool, string function, IToolFunctions functions) : ITool
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    public ToolSpec Spec => tool.Spec;

    public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
    {
        var sent = new FunctionCall(function, FunctionPayload.Write(Spec, call), Spec.Effect != ToolEffect.Once);
        return await functions.InvokeAsync(sent, ct) switch
        {
            FunctionAnswer.Answered answered => FunctionPayload.Read(Spec, answered.Payload),
            FunctionAnswer.NotBegun none => throw new RefusedException(ToolRefusals.NotThere(Spec, none.Why).Refusal with { RetryAfter = none.RetryAfter ?? Soon }),
            FunctionAnswer.Failed failed => throw ToolRefusals.Failed(Spec, failed.Why),
            var other => throw new InvalidOperationException($"{other} is no answer of a function."),
        };
    }
}
