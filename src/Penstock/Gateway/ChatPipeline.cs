using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Guarding;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Selecting;
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
internal sealed class ChatPipeline(Admission admission, SelectionSection selection, Router router, AnswerCache cache, Attempts attempts, Relay relay)
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
            call = dialect.Read(await ReadAsync(http, passage));
            if (adjust is not null) call = adjust(call);
        }

        await AnswerAsync(http, passage, call, CacheQuestion.Of(RequestEdge.RouteOf(http), call), async exchange =>
        {
            if (call.Stream)
            {
                await relay.StreamAsync(http, exchange, WriterFor(http, dialect, exchange));
                return;
            }

            var answer = await FetchAsync(http, passage, exchange);
            await Relay.WriteWholeAsync(http, answer, WriterFor(http, dialect, answer.Exchange));
        });
    }

    /// <summary>Steps 1 and 2. Dispose of the passage when the call is over, whatever its end.</summary>
    public ValueTask<Passage> AdmitAsync(HttpContext http) => admission.AdmitAsync(http, Scopes.Complete);

    /// <summary>The body, as far as the guard rules of the caller let it through.</summary>
    public Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext http, Passage passage) => admission.ReadAsync(http, passage.Caller);

    /// <summary>Steps 4 to 8 for a call we made ourselves: <paramref name="write"/> says what becomes of its answer.</summary>
    public Task AskAsync(HttpContext http, Passage passage, ChatCall call, CacheQuestion question, Func<AnswerFold, Receipt, Target, Task> write) => AnswerAsync(http, passage, call, question, async exchange =>
    {
        var (answered, frame, receipt) = await FetchAsync(http, passage, exchange);
        Relay.AddHeaders(http.Response.Headers, answered.Attempt, receipt);
        if (RequestGuard.Of(http) is { } guard) frame = guard.Answer(frame, http.Response.Headers);
        await write(new AnswerFold().Add(frame), receipt, answered.Target);
    });

    /// <summary>How many tokens a call's input has. Nothing is generated and nothing booked.</summary>
    public async Task<TokenCount> CountAsync(HttpContext http, Func<ReadOnlyMemory<byte>, ChatCall> read)
    {
        await using var passage = await AdmitAsync(http);
        var call = read(await ReadAsync(http, passage));
        var target = router.Plan(Choose(http, call)?.Tier ?? call.Model, Router.Chat, passage.Caller, Router.OwnKeyOf(http.Request.Headers), call.Model);
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

    private async Task AnswerAsync(HttpContext http, Passage passage, ChatCall call, CacheQuestion question, Func<Exchange, Task> answer)
    {
        var exchange = Route(http, passage.Caller, call, Choose(http, call));
        question = question with { AnswersAs = RequestGuard.Of(http)?.AnswersAs };
        using var turn = await cache.OpenAsync(http, exchange.Origin, exchange.Attempt, exchange.Sent.MaxOutputTokens, question);
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

    /// <summary>A whole answer; where we chose its tier, one that stands the check of its task.</summary>
    private Task<Fetched> FetchAsync(HttpContext http, Passage passage, Exchange exchange) => Veto.FetchAsync(
        exchange,
        selection.Current,
        async one =>
        {
            var (frame, receipt) = await relay.FetchAsync(http, one);
            return new Fetched(one, frame, receipt);
        },
        (tier, why) => ReserveAsync(http, passage, Route(http, passage.Caller, exchange.Sent.Call, new Choice(tier, exchange.Choice!.Task, why))));

    private static IAnswerWriter WriterFor(HttpContext http, IChatDialect dialect, Exchange exchange)
    {
        var head = new AnswerHead(exchange.Origin.Request.Id, exchange.Sent.Call, exchange.Target.Provider.Name, exchange.Target.Model, dialect.Name == exchange.Target.Provider.Dialect, exchange.Attempt.At);
        var writer = dialect.Answer(head);
        return RequestGuard.Of(http) is { } request && request.Answer(head) is { } guard ? new GuardedWriter(writer, guard, request, exchange.Attempt, http.Response.Headers) : writer;
    }

    /// <summary>Null where the client names what is to answer.</summary>
    private Choice? Choose(HttpContext http, ChatCall call)
    {
        if (!selection.Current.Names.Contains(call.Model) || router.IsNamed(call.Model)) return null;
        var task = http.Request.Headers[Selection.TaskHeader].ToString() is { Length: > 0 } header ? header : call.Task;
        return Selection.Choose(call, RequestEdge.RouteOf(http), task, selection.Current);
    }

    private Exchange Route(HttpContext http, Caller caller, ChatCall call, Choice? choice)
    {
        using var step = Steps.Start("route");
        var target = router.Plan(choice?.Tier ?? call.Model, Router.Chat, caller, Router.OwnKeyOf(http.Request.Headers), call.Model);
        var origin = new CallOrigin(RequestScope.Of(http), caller, RequestEdge.RouteOf(http), Router.Chat, call.Model, call.Stream, Conversation(http, call), call.EndUser) { Decision = choice?.Reason };
        var attempt = attempts.Start(origin, target);
        var sent = new ProviderCall(call, target.Model, target.Cap(call.MaxOutputTokens), attempt.Id);
        return target.Provider.Objects(sent) is { } objection ? throw new RefusedException(objection) : new Exchange(origin, target, sent, attempt) { Choice = choice };
    }

    private static string? Conversation(HttpContext http, ChatCall call)
    {
        var (field, conversation) = http.Request.Headers[ConversationHeader].ToString() is { Length: > 0 } header ? (ConversationHeader, header) : ("conversation", call.Conversation);
        if (field == ConversationHeader && conversation is not null && RequestGuard.Of(http) is { } guard) conversation = guard.Prompt(conversation, http.Response.Headers);
        return conversation is null || (JsonView.CountUpTo(conversation, LongestConversation) <= LongestConversation && OneLine.Is(conversation))
            ? conversation
            : throw new RefusedException(Refusal.Invalid(field, $"'{field}' must be {LongestConversation} characters or fewer, none of them a control character."));
    }
}

/// <summary>One call on its way to one target.</summary>
internal sealed record Exchange(CallOrigin Origin, Target Target, ProviderCall Sent, Attempt Attempt)
{
    /// <summary>Null where the client named what is to answer.</summary>
    public Choice? Choice { get; init; }
}
