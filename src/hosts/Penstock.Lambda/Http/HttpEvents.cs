using Penstock.Lambda.Runtime;

namespace Penstock.Lambda.Http;

/// <summary>Answers requests that came as events, whole or while the answer is made.</summary>
internal sealed partial class HttpEvents(RuntimeApi api, LambdaOptions options, ILogger<HttpEvents> log)
{
    private const string TimeOver = "deadline_exceeded";
    private const string TimeOverText = "The function's time ended before the answer did. What was used until then is booked.";

    /// <param name="over">When the work has to end.</param>
    /// <param name="ct">When handing in has to.</param>
    public Task AnswerAsync(string id, EventRequest request, IHttpShape shape, Func<Exchange, Task> run, CancellationToken over, CancellationToken ct) =>
        options.Streams && shape.MayStream ? StreamAsync(id, request, shape, run, over, ct) : BufferAsync(id, request, shape, run, over, ct);

    private async Task BufferAsync(string id, EventRequest request, IHttpShape shape, Func<Exchange, Task> run, CancellationToken over, CancellationToken ct)
    {
        var answer = new BufferedAnswer(shape);
        using var exchange = new Exchange(request, answer, over);
        await run(exchange);
        ReadOnlyMemory<byte> whole;
        if (over.IsCancellationRequested && !exchange.HasStarted) whole = answer.Problem(StatusCodes.Status504GatewayTimeout, TimeOver, TimeOverText);
        else if (exchange.Broken) whole = answer.Problem(StatusCodes.Status502BadGateway, "answer_broken", "The answer broke off before its end.");
        else
        {
            await exchange.CompleteAsync();
            whole = answer.ToJson();
        }

        await api.RespondAsync(id, whole, ct);
    }

    private async Task StreamAsync(string id, EventRequest request, IHttpShape shape, Func<Exchange, Task> run, CancellationToken over, CancellationToken ct)
    {
        await using var stream = await api.OpenStreamAsync(id, ct);
        using var exchange = new Exchange(request, new StreamedAnswer(shape, stream), over);
        await RunAsync(exchange, run);
        var cut = over.IsCancellationRequested;
        if (cut && !exchange.HasStarted) exchange.StatusCode = StatusCodes.Status504GatewayTimeout;
        try
        {
            await exchange.CompleteAsync();
            await stream.CompleteAsync(cut ? ("Penstock.DeadlineExceeded", TimeOverText) : exchange.Broken ? ("Penstock.AnswerBroken", "The answer broke off before its end.") : null, ct);
        }
        catch (IOException e)
        {
            // What was made for whoever left is settled; there is nobody to tell.
            LogLeft(id, e.Message);
        }
    }

    /// <summary>A bug cannot become a failed invocation once the answer began: it breaks the answer off.</summary>
    private async Task RunAsync(Exchange exchange, Func<Exchange, Task> run)
    {
        try
        {
            await run(exchange);
        }
        catch (Exception e)
        {
            LogBroken(e);
            if (!exchange.HasStarted) exchange.StatusCode = StatusCodes.Status500InternalServerError;
            exchange.Abort();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "the answer to invocation {InvocationId} was not taken to its end: {Why}")]
    private partial void LogLeft(string invocationId, string why);

    [LoggerMessage(Level = LogLevel.Error, Message = "an answer broke off by a bug")]
    private partial void LogBroken(Exception e);
}
