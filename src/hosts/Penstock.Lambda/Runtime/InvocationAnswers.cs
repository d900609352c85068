using System.Text.Json;
using Penstock.Lambda.Events;
using Penstock.Lambda.Http;

namespace Penstock.Lambda.Runtime;

/// <summary>From an event to its answer, whatever the event is. Whatever goes wrong is that invocation's failure and no other's.</summary>
internal sealed partial class InvocationAnswers(RuntimeApi api, HttpEvents http, EventDispatch dispatch, ToolCalls tools, TimeProvider time, ILogger<InvocationAnswers> log)
{
    private const string OwnFailure = "Penstock.Failed";

    private static readonly ReadOnlyMemory<byte> Warm = "\"warm\""u8.ToArray();

    /// <summary>Handing in an answer outlives the invocation's own time by a moment; it must not hang either.</summary>
    private static readonly TimeSpan HandIn = TimeSpan.FromSeconds(5);

    /// <param name="run">One exchange through the routes of the product.</param>
    /// <exception cref="HttpRequestException">The Runtime API takes nothing any more.</exception>
    public async Task AnswerAsync(Invocation invocation, Func<Exchange, Task> run)
    {
        using var limit = new InvocationTime(invocation, time);
        using var handIn = new CancellationTokenSource(invocation.Deadline - time.GetUtcNow() is var left && left > TimeSpan.Zero ? left + HandIn : HandIn, time);
        (string Type, string Message) failure;
        try
        {
            await AnswerAsync(invocation, run, limit.Over, handIn.Token);
            return;
        }
        catch (EventException e)
        {
            LogRefused(invocation.Id, e.Message);
            failure = (e.Type, e.Message);
        }
        catch (JsonException)
        {
            failure = (OwnFailure, "The event is no JSON.");
        }
        catch (Exception e) when (e is not HttpRequestException)
        {
            LogFailed(invocation.Id, e);
            failure = (OwnFailure, "Penstock failed on this event; the function's log says why.");
        }

        await api.FailAsync(invocation.Id, failure.Type, failure.Message, handIn.Token);
    }

    private async Task AnswerAsync(Invocation invocation, Func<Exchange, Task> run, CancellationToken over, CancellationToken ct)
    {
        using var document = JsonDocument.Parse(invocation.Payload);
        var root = document.RootElement;
        var form = EventForms.Of(root);
        if (form == EventForm.Warmup) await api.RespondAsync(invocation.Id, Warm, ct);
        else if (tools.Only) await api.RespondAsync(invocation.Id, await tools.AnswerAsync(form, root, invocation.Payload, over), ct);
        else if (ShapeOf(form, root) is { } shape) await http.AnswerAsync(invocation.Id, shape.Read(root), shape, run, over, ct);
        else await api.RespondAsync(invocation.Id, await dispatch.AnswerAsync(form, root, over), ct);
    }

    public static IHttpShape? ShapeOf(EventForm form, JsonElement root) => form switch
    {
        EventForm.HttpApi => HttpApiShape.Api,
        EventForm.FunctionUrl => HttpApiShape.Url,
        EventForm.Rest => RestShape.Instance,
        EventForm.Balancer => BalancerShape.Of(root),
        _ => null,
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "invocation {InvocationId} was refused: {Why}")]
    private partial void LogRefused(string invocationId, string why);

    [LoggerMessage(Level = LogLevel.Error, Message = "invocation {InvocationId} failed by a bug")]
    private partial void LogFailed(string invocationId, Exception e);
}
