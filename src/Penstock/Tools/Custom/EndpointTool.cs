namespace Penstock.Tools.Custom;

/// <summary>A tool that is an HTTP endpoint of the operator's.</summary>
internal sealed class EndpointTool(EndpointOptions options, EndpointCalls calls) : IReconciledTool
{
    public ToolSpec Spec => options.Spec;

    public bool Reconciles => options.Reconcile is not null;

    public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct) => new(await calls.CallAsync(options, call, ct));

    public Task<ToolWord> ReconcileAsync(ToolCall call, CancellationToken ct) => calls.ReconcileAsync(options, call, ct);
}
