using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;

namespace Penstock.Gateway;

/// <summary>
/// Every chat call, whatever its dialect, in the order it happens:
/// <code>
/// 1 authenticate   who is calling, and may they
/// 2 limit          not too often
/// 3 validate       what is asked, in no vendor's words
/// 4 route          who answers, and can everything cross
/// 5 cache          was it answered before, or is it being answered now; only where the client asks for that
/// 6 reserve        tokens, a slot, and on every budget over it the most it can cost
/// 7 call           one attempt at one provider, metered as it answers
/// 8 settle         the attempt is booked and what it held released, once, before the client sees the end
/// </code>
/// The cache comes after the route, because the target is part of what was asked, and no key may read what it may not call.
/// </summary>
internal sealed class ChatPipeline(Admission admission, Router router, AnswerCache cache, Attempts attempts, Relay relay)
{
    public const string ConversationHeader = "x-penstock-conversation";
    private const int LongestConversation = 200;

    /// <param name="adjust">What the route itself says about the call, such as that it streams.</param>
    public async Task RunAsync(HttpContext http, IChatDialect dialect, Func<ChatCall, ChatCall>? adjust = null)
    {
        await using var passage = await AdmitAsync(http);

        ChatCall call;
        using (Steps.Start("validate"))
        {
            call = dialect.Read(await Bodies.ReadAsync(http, router.Options.MaxBodyBytes));
            if (adjust is not null) call = adjust(call);
        }

        await AnswerAsync(http, passage, call, CacheQuestion.Of(RequestEdge.RouteOf(http), call), exchange =>
        {
            var head = new AnswerHead(exchange.Origin.Request.Id, call, exchange.Target.Provider.Name, exchange.Target.Model, dialect.Name == exchange.Target.Provider.Dialect, exchange.Attempt.At);
            var writer = dialect.Answer(head);
            return call.Stream ? relay.StreamAsync(http, exchange, writer) : relay.WholeAsync(http, exchange, writer);
        });
    }

    /// <summary>Steps 1 and 2. Dispose of the passage when the call is over, whatever its end.</summary>
    public ValueTask<Passage> AdmitAsync(HttpContext http) => admission.AdmitAsync(http, Scopes.Complete);

    /// <summary>Steps 4 to 8 for a call we made ourselves: <paramref name="write"/> says what becomes of its answer.</summary>
    /// <param name="question">Null where the answer is not what the client gets: the cache keeps whole responses.</param>
    public Task AskAsync(HttpContext http, Passage passage, ChatCall call, CacheQuestion? question, Func<AnswerFold, Receipt, Target, Task> write) => AnswerAsync(http, passage, call, question, async exchange =>
    {
        var (frame, receipt) = await relay.FetchAsync(http, exchange);
        Relay.AddHeaders(http.Response.Headers, exchange.Attempt, receipt);
        await write(new AnswerFold().Add(frame), receipt, exchange.Target);
    });

    /// <summary>How many tokens a call's input has. Nothing is generated and nothing booked.</summary>
    public async Task<TokenCount> CountAsync(HttpContext http, Func<ReadOnlyMemory<byte>, ChatCall> read)
    {
        await using var passage = await AdmitAsync(http);
        var call = read(await Bodies.ReadAsync(http, router.Options.MaxBodyBytes));
        var target = router.Plan(call.Model, Router.Chat, passage.Caller, Router.OwnKeyOf(http.Request.Headers));
        var sent = new ProviderCall(call, target.Model, null, attempts.NextId());
        if (target.Provider.Objects(sent) is { } objection) throw new RefusedException(objection);
        try
        {
            return await target.Provider.CountAsync(sent, http.RequestAborted);
        }
        catch (ProviderException fault)
        {
            throw new RefusedException(fault.ToRefusal(target));
        }
    }

    private async Task AnswerAsync(HttpContext http, Passage passage, ChatCall call, CacheQuestion? question, Func<Exchange, Task> answer)
    {
        var exchange = Route(http, passage.Caller, call);
        using var turn = question is null ? CacheTurn.None : await cache.OpenAsync(http, exchange.Origin, exchange.Attempt, exchange.Sent.MaxOutputTokens, question);
        if (turn == CacheTurn.Answered) return;

        var reserved = await ReserveAsync(http, passage, exchange);
        await turn.RunAsync(http, whole: reserved.Sent.MaxOutputTokens == exchange.Sent.MaxOutputTokens, () => answer(reserved));
    }

    private async Task<Exchange> ReserveAsync(HttpContext http, Passage passage, Exchange exchange)
    {
        using var step = Steps.Start("reserve");
        var ceiling = Ceiling.Of(exchange.Target, exchange.Sent, attempts.Tokens);
        var tokens = passage.CountsTokens ? TokenEstimate.Of(exchange.Sent, attempts.Tokens) : 0;
        var hold = await exchange.Attempt.ReserveAsync(passage, tokens, ceiling.Need, http.RequestAborted);
        if (exchange.Target.OwnKey) return exchange;
        return exchange with { Sent = exchange.Sent with { MaxOutputTokens = ceiling.CapFor(hold.Granted) } };
    }

    private Exchange Route(HttpContext http, Caller caller, ChatCall call)
    {
        using var step = Steps.Start("route");
        var target = router.Plan(call.Model, Router.Chat, caller, Router.OwnKeyOf(http.Request.Headers));
        var origin = new CallOrigin(RequestScope.Of(http), caller, RequestEdge.RouteOf(http), Router.Chat, call.Model, call.Stream, Conversation(http, call), call.EndUser);
        var attempt = attempts.Start(origin, target);
        var sent = new ProviderCall(call, target.Model, target.Cap(call.MaxOutputTokens), attempt.Id);
        return target.Provider.Objects(sent) is { } objection ? throw new RefusedException(objection) : new Exchange(origin, target, sent, attempt);
    }

    private static string? Conversation(HttpContext http, ChatCall call)
    {
        var (field, conversation) = http.Request.Headers[ConversationHeader].ToString() is { Length: > 0 } header ? (ConversationHeader, header) : ("conversation", call.Conversation);
        return conversation is null || (JsonView.CountUpTo(conversation, LongestConversation) <= LongestConversation && OneLine.Is(conversation))
            ? conversation
            : throw new RefusedException(Refusal.Invalid(field, $"'{field}' must be {LongestConversation} characters or fewer, none of them a control character."));
    }
}

/// <summary>One call on its way to one target.</summary>
internal sealed record Exchange(CallOrigin Origin, Target Target, ProviderCall Sent, Attempt Attempt);
