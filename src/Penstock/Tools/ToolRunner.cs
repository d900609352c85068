using System.Text.Json;
using Microsoft.Extensions.Logging;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Tools;

/// <param name="Cost">What the call cost, whoever booked it.</param>
internal sealed record ToolAnswer(ToolSpec Tool, JsonElement Output, Money Cost, TimeSpan Latency);

/// <summary>
/// Every call of a tool, whoever makes it, in the order it happens:
/// <code>
/// 1 find      is there such a tool, and may this key call it
/// 2 check     do the arguments satisfy its schema
/// 3 place     one of the calls in flight, or a wait for it
/// 4 begin     what its caller does before anything of it happens
/// 5 hold      its price on every budget, where it has one
/// 6 run       within its time
/// 7 read      does the answer satisfy its schema
/// 8 book      its price, a log line, a measurement
/// </code>
/// </summary>
internal sealed partial class ToolRunner(ToolBox tools, ToolPlaces places, ToolBooking booking, ToolMetrics metrics, TimeProvider time, ILogger<ToolRunner> log)
{
    private const int LongestSchema = 4_000;

    /// <param name="route">As it stands in the ledger.</param>
    /// <exception cref="RefusedException">Whatever kept the tool from answering.</exception>
    public async Task<ToolAnswer> RunAsync(string name, ToolCall call, string route, CancellationToken ct)
    {
        var tool = tools.Find(call.Caller, name);
        var started = time.GetTimestamp();
        var outcome = "failed";
        try
        {
            Check(tool.Spec, call.Arguments);
            using var place = await places.TakeAsync(call.Caller.Tenant, tool.Spec, call.OfRun, ct);
            if (call.Begin is { } begin) await begin();
            var answer = await BookedAsync(tool, call, route, started, ct);
            outcome = "completed";
            return answer;
        }
        catch (RefusedException e)
        {
            outcome = e.Refusal.Code;
            throw;
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            outcome = "cancelled";
            throw;
        }
        finally
        {
            var elapsed = time.GetElapsedTime(started);
            LogCall(call.Request, tool.Spec.Name, call.Caller.Key.Id, elapsed.TotalMilliseconds, outcome);
            metrics.Record(tool.Spec.Name, outcome, elapsed);
        }
    }

    public static void Check(ToolSpec tool, JsonView arguments)
    {
        if (tool.Input.Check(arguments.Element) is not { } problem) return;
        var schema = tool.Input.ToString();
        var shown = schema.Length <= LongestSchema ? $"It takes: {schema}" : "GET /v1/tools shows its schema.";
        throw new RefusedException(new Refusal(RefusalKind.Invalid, "invalid_arguments", $"{problem} in the arguments of the tool '{tool.Name}'. {shown}") { Field = problem.Pointer });
    }

    private async Task<ToolAnswer> BookedAsync(ITool tool, ToolCall call, string route, long started, CancellationToken ct)
    {
        var row = await booking.ReserveAsync(call, tool.Spec, route, ct);
        string? error = "internal_error";
        var free = false;
        var (output, metered, booked) = (default(JsonElement), Money.Zero, Money.Zero);
        try
        {
            (output, metered) = await InTimeAsync(tool, call, ct);
            error = null;
        }
        catch (RefusedException e)
        {
            (error, free) = (e.Refusal.Code, e.Refusal.Code is ToolRefusals.Unavailable or ToolRefusals.Refused);
            throw;
        }
        finally
        {
            booked = await booking.SettleAsync(row, error, free, time.GetElapsedTime(started));
            RequestScope.Of(call.Http).Spend(booked);
        }

        return new ToolAnswer(tool.Spec, output, tool.Spec.Cost is null ? metered : booked, time.GetElapsedTime(started));
    }

    private async Task<ToolResult> InTimeAsync(ITool tool, ToolCall call, CancellationToken ct)
    {
        var spec = call.Timeout is { } own && own < tool.Spec.Timeout ? tool.Spec with { Timeout = own } : tool.Spec;
        using var limit = new CancellationTokenSource(spec.Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        ToolResult result;
        try
        {
            result = await tool.RunAsync(call, both.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw ToolRefusals.TimedOut(spec);
        }

        if (tool.Spec.Output?.Check(result.Output) is { } problem) throw ToolRefusals.Unfit(tool.Spec, problem.ToString());
        return result;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "tool {Tool} request {RequestId} key {KeyId} {Outcome} in {LatencyMs:0.0} ms")]
    private partial void LogCall(RequestId requestId, string tool, KeyId keyId, double latencyMs, string outcome);
}

/// <summary>What keeps a tool from answering.</summary>
internal static class ToolRefusals
{
    /// <summary>The tool surely did nothing.</summary>
    public const string Unavailable = "tool_unavailable";

    /// <summary>The tool says that it will not do what was asked.</summary>
    public const string Refused = "tool_refused";

    public static RefusedException TimedOut(ToolSpec tool) => new(new Refusal(
        RefusalKind.ProviderTimedOut,
        "tool_timed_out",
        FormattableString.Invariant($"The tool '{tool.Name}' did not answer within {tool.Timeout.TotalSeconds:0.###} s.{Unknown(tool)}")) { Retryable = tool.Effect != ToolEffect.Once });

    public static RefusedException Unfit(ToolSpec tool, string problem) => new(new Refusal(
        RefusalKind.ProviderFailed, "tool_answer_unfit", $"The tool '{tool.Name}' answered in another form than it promises: {problem}.{Unknown(tool)}") { Retryable = tool.Effect != ToolEffect.Once });

    public static RefusedException Failed(ToolSpec tool, string why) => new(new Refusal(
        RefusalKind.ProviderFailed, "tool_failed", $"The tool '{tool.Name}' failed: {why}.{Unknown(tool)}") { Retryable = tool.Effect != ToolEffect.Once });

    public static RefusedException NotThere(ToolSpec tool, string why) =>
        new(new Refusal(RefusalKind.Unavailable, Unavailable, $"The tool '{tool.Name}' cannot be called now: {why}. Nothing was done.") { RetryAfter = TimeSpan.FromSeconds(1) });

    private static string Unknown(ToolSpec tool) => tool.Effect == ToolEffect.Once ? " Whether it had an effect is not known: look before you call it again." : "";
}
