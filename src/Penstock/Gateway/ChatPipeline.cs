using Microsoft.AspNetCore.Http;
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
/// 5 reserve        tokens, a slot, and on every budget over it the most it can cost
/// 6 call           one attempt at one provider, metered as it answers
/// 7 settle         the attempt is booked and what it held released, once, before the client sees the end
/// </code>
/// </summary>
internal sealed class ChatPipeline(Admission admission, Router router, Attempts attempts, Relay relay)
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

        var exchange = await PrepareAsync(http, passage, call);
        var head = new AnswerHead(exchange.Origin.Request.Id, call, exchange.Target.Provider.Name, exchange.Target.Model, dialect.Name == exchange.Target.Provider.Dialect, exchange.Attempt.At);
        var writer = dialect.Answer(head);
        if (call.Stream) await relay.StreamAsync(http, exchange, writer);
        else await relay.WholeAsync(http, exchange, writer);
    }

    /// <summary>Steps 1 and 2. Dispose of the passage when the call is over, whatever its end.</summary>
    public ValueTask<Passage> AdmitAsync(HttpContext http) => admission.AdmitAsync(http, Scopes.Complete);

    /// <summary>Steps 4 to 7 for a call we made ourselves; the answer comes back instead of being written.</summary>
    public async Task<(AnswerFold Answer, Receipt Receipt, Target Target)> AskAsync(HttpContext http, Passage passage, ChatCall call)
    {
        var exchange = await PrepareAsync(http, passage, call);
        var (frame, receipt) = await relay.FetchAsync(http, exchange);
        Relay.AddHeaders(http.Response.Headers, exchange.Attempt, receipt);
        return (new AnswerFold().Add(frame), receipt, exchange.Target);
    }

    /// <summary>How many tokens a call's input has. Nothing is generated and nothing booked.</summary>
    public async Task<TokenCount> CountAsync(HttpContext http, Func<ReadOnlyMemory<byte>, ChatCall> read)
    {
        await using var passage = await AdmitAsync(http);
        var call = read(await Bodies.ReadAsync(http, router.Options.MaxBodyBytes));
        var target = router.Plan(call.Model, Router.Chat, passage.Caller);
        var sent = new ProviderCall(call, target.Model, null, attempts.NextId());
        if (target.Provider.Objects(sent) is { } objection) throw new RefusedException(objection);
        try
        {
            return await target.Provider.CountAsync(sent, http.RequestAborted);
        }
        catch (ProviderException fault)
        {
            throw new RefusedException(fault.ToRefusal(target.Provider.Name));
        }
    }

    private async Task<Exchange> PrepareAsync(HttpContext http, Passage passage, ChatCall call)
    {
        var exchange = Route(http, passage.Caller, call);
        using var step = Steps.Start("reserve");
        var ceiling = Ceiling.Of(exchange.Target, exchange.Sent, attempts.Tokens);
        var tokens = passage.CountsTokens ? TokenEstimate.Of(exchange.Sent, attempts.Tokens) : 0;
        var hold = await exchange.Attempt.ReserveAsync(passage, tokens, ceiling.Need, http.RequestAborted);
        return exchange with { Sent = exchange.Sent with { MaxOutputTokens = ceiling.CapFor(hold.Granted) } };
    }

    private Exchange Route(HttpContext http, Caller caller, ChatCall call)
    {
        using var step = Steps.Start("route");
        var target = router.Plan(call.Model, Router.Chat, caller);
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
