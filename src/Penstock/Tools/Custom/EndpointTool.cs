namespace Penstock.Tools.Custom;

/// <summary>A tool that is an HTTP endpoint of the operator's.</summary>
internal sealed class EndpointTool(EndpointOptions options, EndpointCalls calls) : ITool
{
    public ToolSpec Spec => options.Spec;

    public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct) => new(await calls.CallAsync(options, call, ct));
}
