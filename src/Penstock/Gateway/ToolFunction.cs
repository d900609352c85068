using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Tools;
using Penstock.Tools.Functions;

namespace Penstock.Gateway;

/// <summary>
/// The other end of a <see cref="FunctionTool"/>: a process that is one tool. Who calls is read anew, so that a revoked key stops here too; the arguments are
/// checked again; a tool that asks a model does so through the pipeline, and what that used is booked there. A tool's own price is not booked here: whoever
/// called the function holds it.
/// </summary>
internal sealed class ToolFunction(KeyRing keys, CallLimits limits, RequestBodies bodies, ToolBox tools, TimeProvider time)
{
    /// <param name="tool">What this process is.</param>
    /// <returns>The answer of the function, a refusal too.</returns>
    public async Task<ReadOnlyMemory<byte>> RunAsync(string tool, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        try
        {
            var call = FunctionPayload.Read(payload);
            if (call.Tool != tool) throw new RefusedException(new Refusal(RefusalKind.NotFound, "tool_not_found", $"This function is the tool '{tool}', and not '{call.Tool}': see 'tools.functions' of the gateway."));
            return FunctionPayload.Answer(await RunAsync(call, ct));
        }
        catch (RefusedException e)
        {
            return FunctionPayload.Answer(e.Refusal);
        }
    }

    private async Task<ToolResult> RunAsync(FunctionPayload call, CancellationToken ct)
    {
        var caller = call.Caller.Token is { } token ? new Caller(token) : await keys.FindAsync(call.Caller.Tenant, call.Caller.Key, ct);
        caller = caller with { Run = call.Caller.Run, Envelopes = call.Caller.Envelopes };
        var found = tools.FindHere(caller, call.Tool);
        ToolRunner.Check(found.Spec, call.Arguments);
        using var limit = new CancellationTokenSource(call.Timeout is { } own && own < found.Spec.Timeout ? own : found.Spec.Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        var http = Open(call, caller, both.Token);
        // Whoever called counted the request; tokens and slots are taken where a model is asked.
        await using var passage = limits.Open(caller, call.Route, call.Request);
        try
        {
            return await found.RunAsync(new ToolCall { Http = http, Passage = passage, Arguments = call.Arguments, IdempotencyKey = call.IdempotencyKey }, both.Token);
        }
        catch (OperationCanceledException) when (both.IsCancellationRequested)
        {
            throw ToolRefusals.TimedOut(found.Spec);
        }
    }

    /// <summary>The request it is part of, as far as the pipeline reads it.</summary>
    private DefaultHttpContext Open(FunctionPayload call, Caller caller, CancellationToken ct)
    {
        var http = new DefaultHttpContext { RequestAborted = ct };
        http.Features.Set(new RequestScope(call.Request, time.GetTimestamp()) { Key = caller.Key.Id });
        http.SetEndpoint(new RouteEndpoint(static _ => Task.CompletedTask, RoutePatternFactory.Parse(call.Route), 0, EndpointMetadataCollection.Empty, call.Route));
        bodies.Guard(http, caller);
        if (call.Conversation is { } conversation) http.Request.Headers[ChatPipeline.ConversationHeader] = conversation;
        return http;
    }
}
