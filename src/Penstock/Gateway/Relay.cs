using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Selecting;
using Penstock.Gateway.Wire;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>Carries a provider's answer to the client. However it ends, the attempt is booked once, and a client never sees the end of an answer that is not.</summary>
internal sealed class Relay(Router router, Drain drain, TimeProvider time)
{
    public const string StreamType = "text/event-stream; charset=utf-8";

    private const int MostUnflushed = 64 * 1024;

    /// <summary>Writes a whole answer that was booked. The cost is known by then and stands in a header.</summary>
    public static async Task WriteWholeAsync(HttpContext http, Fetched answer, IAnswerWriter writer)
    {
        var (exchange, frame, receipt) = answer;
        var body = new ArrayBufferWriter<byte>(Math.Max(1024, frame.Data.Length));
        writer.WriteWhole(frame, receipt, body);
        AddHeaders(http.Response.Headers, exchange.Attempt, receipt);
        await Json.SendAsync(http, StatusCodes.Status200OK, body.WrittenMemory);
    }

    /// <summary>The one frame of a whole answer, booked.</summary>
    public async Task<Fetched> FetchAsync(HttpContext http, Exchange exchange)
    {
        using var life = LifeOf(exchange, http);
        try
        {
            using var step = Steps.StartCall(exchange.Attempt);
            life.ThrowIfOver();
            exchange.Attempt.Sent = true;
            await foreach (var frame in exchange.Target.Provider.ChatAsync(exchange.Sent, life.Token).WithCancellation(life.Token))
            {
                exchange.Attempt.Meter(frame);
                if (!frame.Last) continue;
                life.ThrowIfLeft();
                return new Fetched(exchange, frame, await SettleAsync(exchange));
            }

            throw new InvalidOperationException($"Provider '{exchange.Target.Provider.Name}' ended an answer without its last frame.");
        }
        catch (Exception e) when (!exchange.Attempt.Booked)
        {
            throw await FailAsync(http, exchange, life, e);
        }
    }

    /// <summary>A stream that goes to nobody but <paramref name="watch"/>, folded and booked. Nobody else is asked once any content came.</summary>
    public async Task<(AnswerFold Answer, Receipt Receipt)> WatchAsync(HttpContext http, Exchange exchange, Action<ProviderFrame> watch)
    {
        using var life = LifeOf(exchange, http);
        var answer = new AnswerFold();
        try
        {
            using var step = Steps.StartCall(exchange.Attempt);
            life.ThrowIfOver();
            exchange.Attempt.Sent = true;
            await foreach (var frame in exchange.Target.Provider.ChatAsync(exchange.Sent, life.Token).WithCancellation(life.Token))
            {
                exchange.Attempt.Meter(frame);
                exchange.Attempt.Begun |= HeldBack.IsContent(frame);
                answer.Add(frame);
                if (frame.Last) life.ThrowIfLeft();
                if (frame.Last) return (answer, await SettleAsync(exchange));
                if (!life.Left) watch(frame);
            }

            throw new InvalidOperationException($"Provider '{exchange.Target.Provider.Name}' ended a stream without its last frame.");
        }
        catch (Exception e) when (!exchange.Attempt.Booked)
        {
            throw await FailAsync(http, exchange, life, e);
        }
    }

    /// <summary>Copies a stream as it comes. A failure behind the first content, or behind our first ping, is the caller's to tell (<see cref="RefuseAsync"/>).</summary>
    public async Task StreamAsync(HttpContext http, Exchange exchange, IAnswerWriter writer)
    {
        using var life = LifeOf(exchange, http);
        try
        {
            using var step = Steps.StartCall(exchange.Attempt);
            await CopyAsync(http, exchange, writer, life);
        }
        catch (Exception e) when (!exchange.Attempt.Booked)
        {
            throw await FailAsync(http, exchange, life, e);
        }
    }

    /// <summary>Lets time pass between two attempts of a stream, with pings as in any silence.</summary>
    public async Task WaitAsync(HttpContext http, Exchange exchange, IAnswerWriter writer, Task pause)
    {
        await PingUntilAsync(pause, http, exchange, writer, http.RequestAborted);
        await pause;
    }

    /// <summary>Ends a stream that has begun with an error of its dialect.</summary>
    public async Task RefuseAsync(HttpContext http, IAnswerWriter writer, Refusal refusal)
    {
        RequestScope.Of(http).Incomplete = true;
        writer.WriteError(refusal, http.Response.BodyWriter);
        await FlushAsync(http, http.RequestAborted);
    }

    private async Task CopyAsync(HttpContext http, Exchange exchange, IAnswerWriter writer, CallLife life)
    {
        var held = new HeldBack();
        life.ThrowIfOver();
        exchange.Attempt.Sent = true;
        await using var frames = exchange.Target.Provider.ChatAsync(exchange.Sent, life.Token).GetAsyncEnumerator(life.Token);
        while (await NextAsync(frames, http, exchange, writer, life))
        {
            var frame = frames.Current;
            exchange.Attempt.Meter(frame);
            try
            {
                if (!life.Left && await SendAsync(held.Take(frame), http, exchange, writer, life)) return;
            }
            catch (Exception e) when (!exchange.Attempt.Booked && life.Loses(e))
            {
                // The rest is heard for the books.
                exchange.Attempt.Begun = true;
            }

            if (frame.Last) throw new ClientGoneException(http.RequestAborted);
        }

        throw new InvalidOperationException($"Provider '{exchange.Target.Provider.Name}' ended a stream without its last frame.");
    }

    /// <returns>True where that was the end.</returns>
    private async ValueTask<bool> SendAsync(IReadOnlyList<ProviderFrame> frames, HttpContext http, Exchange exchange, IAnswerWriter writer, CallLife life)
    {
        var output = http.Response.BodyWriter;
        foreach (var frame in frames)
        {
            exchange.Attempt.Begun = true;
            await BeginAsync(http, exchange);
            if (frame.Last)
            {
                var receipt = await SettleAsync(exchange);
                writer.WriteEnd(frame, receipt, output);
                // What is booked as complete is sent whole, even where the server is stopping.
                await FlushAsync(http, http.RequestAborted);
                return true;
            }

            writer.WriteFrame(frame, output);
            // A provider that never makes us wait must not make us hold its whole answer.
            if (output.UnflushedBytes >= MostUnflushed) await FlushAsync(http, life.Token);
        }

        return false;
    }

    /// <summary>Waits for the next frame. What was written goes out before the wait, and pings while it lasts.</summary>
    private async ValueTask<bool> NextAsync(IAsyncEnumerator<ProviderFrame> frames, HttpContext http, Exchange exchange, IAnswerWriter writer, CallLife life)
    {
        var next = frames.MoveNextAsync();
        if (next.IsCompleted || life.Left) return await next;

        var waiting = next.AsTask();
        try
        {
            await PingUntilAsync(waiting, http, exchange, writer, life.Token);
        }
        catch (Exception e) when (life.Loses(e))
        {
            return await waiting;
        }
        catch
        {
            // An enumerator must not be disposed while it is moving.
            await life.EndAsync();
            await Quietly(waiting);
            throw;
        }

        return await waiting;
    }

    private async ValueTask PingUntilAsync(Task waiting, HttpContext http, Exchange exchange, IAnswerWriter writer, CancellationToken ct)
    {
        var output = http.Response.BodyWriter;
        var options = router.Options;
        if (http.Response.HasStarted) await FlushAsync(http, ct);
        var silence = http.Response.HasStarted ? options.Ping : options.FirstPing;
        while (true)
        {
            // A time-out is no failure here: it only says that it is time for a ping.
            await Quietly(waiting.WaitAsync(silence, time, CancellationToken.None));
            if (waiting.IsCompleted) return;
            await BeginAsync(http, exchange);
            writer.WritePing(output);
            await FlushAsync(http, ct);
            silence = options.Ping;
        }
    }

    private static ConfiguredTaskAwaitable Quietly(Task task) => task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private ValueTask FlushAsync(HttpContext http, CancellationToken ct) => ClientWrites.FlushAsync(http, time, ct);

    /// <summary>From here on an error is a frame of the stream.</summary>
    private static async ValueTask BeginAsync(HttpContext http, Exchange exchange)
    {
        if (http.Response.HasStarted) return;
        http.Response.StatusCode = StatusCodes.Status200OK;
        AddStreamHeaders(http.Response);
        AddBudgetHeaders(http.Response.Headers, exchange.Attempt);
        // A ping may go out before it is known who answers.
        if (exchange.Attempt.Begun || exchange.Alone) AddTargetHeaders(http.Response.Headers, exchange.Attempt);
        await http.Response.StartAsync(http.RequestAborted);
    }

    public static void AddStreamHeaders(HttpResponse response)
    {
        response.ContentType = StreamType;
        response.Headers.CacheControl = "no-cache";
        // nginx would hold a stream back otherwise.
        response.Headers["x-accel-buffering"] = "no";
    }

    /// <summary>Who answered, and what it cost where that is known.</summary>
    public static void AddHeaders(IHeaderDictionary headers, Attempt attempt, Receipt? receipt = null)
    {
        if (receipt is not null) headers["x-penstock-cost-usd"] = receipt.Cost.Usd.ToString(CultureInfo.InvariantCulture);
        AddBudgetHeaders(headers, attempt);
        AddTargetHeaders(headers, attempt);
    }

    private static void AddBudgetHeaders(IHeaderDictionary headers, Attempt attempt)
    {
        if (attempt.Remaining is { } left) headers["x-penstock-budget-remaining-usd"] = left.Usd.ToString(CultureInfo.InvariantCulture);
        if (attempt.Warning is { } passed) headers["x-penstock-budget-warning"] = HeaderText(passed);
    }

    private static void AddTargetHeaders(IHeaderDictionary headers, Attempt attempt)
    {
        headers["x-penstock-provider"] = attempt.Target.Provider.Name;
        headers["x-penstock-model"] = HeaderText(attempt.Target.Model);
        if (attempt.Decision is { } decision) headers["x-penstock-route"] = HeaderText(decision);
        if (attempt.Template is { } template) headers["x-penstock-template"] = template;
    }

    /// <summary>A model's name may come from the client; a header may not hold every character.</summary>
    private static string HeaderText(string text) => string.Concat(text.Where(c => c is >= ' ' and < '\x7f'));

    private static async Task<Receipt> SettleAsync(Exchange exchange)
    {
        using var step = Steps.Start("settle");
        return await exchange.Attempt.BookAsync(AttemptOutcome.Completed, exchange.Sent.Call);
    }

    private CallLife LifeOf(Exchange exchange, HttpContext http) => new(exchange.Target.Provider, drain, router.Options.HearLeft, time, http.RequestAborted);

    private Task<Exception> FailAsync(HttpContext http, Exchange exchange, CallLife life, Exception e) => Settlement.FailAsync(
        exchange.Attempt,
        exchange.Target,
        e is OperationCanceledException && life.Left ? new ClientGoneException(http.RequestAborted) : e,
        exchange.Sent.Call,
        drain,
        http.RequestAborted);
}
