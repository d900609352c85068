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
/// 4 route          who answers, and who if that one fails; what cannot cross to any is refused
/// 5 cache          was it answered before, or is it being answered now; only where the client asks for that
/// 6 reserve        tokens, a slot, and on every budget over it the most it can cost
/// 7 call           one attempt at one provider, metered as it answers
/// 8 settle         the attempt is booked and what it held released, once, before the client sees the end
/// </code>
/// Where a target fails before anything of its answer went out, steps 6 to 8 are taken again for the next: with a hold and a ledger row of its own.
/// The cache comes after the route, because the target is part of what was asked, and no key may read what it may not call.
/// </summary>
internal sealed class ChatPipeline(Admission admission, Planner planner, AnswerCache cache, Failover failover, Attempts attempts, Relay relay)
{
    public const string ConversationHeader = "x-penstock-conversation";
    private const int LongestConversation = 200;

    /// <param name="adjust">What the route itself says about the call, such as that it streams, or that a template makes its prompt.</param>
    public async Task RunAsync(HttpContext http, IChatDialect dialect, Func<Caller, ChatCall, ValueTask<ChatCall>>? adjust = null)
    {
        await using var passage = await AdmitAsync(http);

        ChatCall call;
        using (Steps.Start("validate"))
        {
            (_, call) = await admission.ReadAsync(http, passage.Caller, dialect.Read);
            if (adjust is not null) call = await adjust(passage.Caller, call);
        }

        await AnswerAsync(http, passage, call, CacheQuestion.Of(RequestEdge.RouteOf(http), call), call.Stream ? Stream() : Whole());

        // A writer for each attempt: whether bytes pass through or are written anew depends on the target that answers.
        IAnswerWriter WriterFor(Exchange exchange) => exchange.Writer ??= Guarded(
            http,
            dialect,
            new AnswerHead(exchange.Origin.Request.Id, call, exchange.Target.Provider.Name, exchange.Target.Model, dialect.Name == exchange.Target.Provider.Dialect, exchange.Attempt.At),
            exchange.Attempt);

        Reply Whole() => new(async exchange =>
        {
            var answer = await FetchAsync(http, passage, exchange);
            await Relay.WriteWholeAsync(http, answer, WriterFor(answer.Exchange));
        });

        Reply Stream() => new(exchange => relay.StreamAsync(http, exchange, WriterFor(exchange)))
        {
            Wait = (exchange, pause) => relay.WaitAsync(http, exchange, WriterFor(exchange), pause),
            Refuse = (exchange, refusal) => relay.RefuseAsync(http, WriterFor(exchange), refusal),
        };
    }

    /// <summary>Steps 1 and 2. Dispose of the passage when the call is over, whatever its end.</summary>
    public ValueTask<Passage> AdmitAsync(HttpContext http) => admission.AdmitAsync(http, Scopes.Complete);

    /// <summary>The body, as far as the guard rules of the caller let it through.</summary>
    public Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext http, Passage passage) => admission.ReadAsync(http, passage.Caller);

    /// <summary>Steps 4 to 8 for a call we made ourselves: <paramref name="write"/> says what becomes of its answer.</summary>
    /// <param name="question">Null where the answer is not what the client gets: the cache keeps whole responses.</param>
    public Task AskAsync(HttpContext http, Passage passage, ChatCall call, CacheQuestion? question, Func<AnswerFold, Receipt, Target, Task> write) => AnswerAsync(http, passage, call, question, new Reply(async exchange =>
    {
        var (answered, frame, receipt) = await FetchAsync(http, passage, exchange);
        Relay.AddHeaders(http.Response.Headers, answered.Attempt, receipt);
        if (RequestGuard.Of(http) is { } guard) frame = guard.Answer(frame, http.Response.Headers);
        await write(new AnswerFold().Add(frame), receipt, answered.Target);
    }));

    /// <summary>As <see cref="AskAsync"/>, for a streamed answer that is watched while it grows. The cache is left alone.</summary>
    /// <param name="watch">Sees every frame but the last. It must not throw, and not take long.</param>
    public Task WatchAsync(HttpContext http, Passage passage, ChatCall call, Action<ProviderFrame> watch, Func<AnswerFold, Receipt, Target, Task> write) => AnswerAsync(http, passage, call, null, new Reply(async exchange =>
    {
        var (answer, receipt) = await relay.WatchAsync(http, exchange, watch);
        await write(answer, receipt, exchange.Target);
    }));

    /// <summary>How many tokens a call's input has. Nothing is generated and nothing booked.</summary>
    public async Task<TokenCount> CountAsync(HttpContext http, Func<ReadOnlyMemory<byte>, ChatCall> read)
    {
        await using var passage = await AdmitAsync(http);
        var (body, call) = await admission.ReadAsync(http, passage.Caller, read);
        var plan = planner.PlanFor(http, passage.Caller, call, planner.Choose(http, call));
        TargetFailedException? first = null;
        foreach (var target in plan.Targets.Where(target => Planner.Objection(target, call) is null))
        {
            try
            {
                var sent = new ProviderCall(call, target.Model, null, attempts.NextId()) { Timeouts = target.Timeouts };
                return await await admission.Large.RunAsync(body.Length, () => target.Provider.CountAsync(sent, http.RequestAborted), http.RequestAborted);
            }
            catch (ProviderException fault)
            {
                first ??= new TargetFailedException(fault, fault.ToRefusal(target));
                if (fault.Fault == ProviderFault.Rejected) break;
            }
        }

        throw new RefusedException(first!.Refusal);
    }

    private async Task AnswerAsync(HttpContext http, Passage passage, ChatCall call, CacheQuestion? question, Reply reply)
    {
        var journey = Route(http, passage.Caller, call, planner.Choose(http, call));
        using var turn = question is null
            ? CacheTurn.None
            : await cache.OpenAsync(http, journey, journey.Plan.First.Cap(call.MaxOutputTokens), question with { AnswersAs = RequestGuard.Of(http)?.AnswersAs }, admission.Large);
        if (turn == CacheTurn.Answered) return;

        using var walk = failover.Start(journey.Plan, target => Planner.Objection(target, call));
        var first = await ReserveAsync(http, passage, journey, call, await walk.NextAsync(pause => pause, http.RequestAborted), alone: walk.Alone);
        await turn.RunAsync(http, first.Whole, () => AttemptAsync(http, passage, journey, walk, first, reply, shared: turn.Shared && first.Whole));
    }

    /// <summary>Steps 7 and 8, and 6 to 8 again for each target that is asked after one that failed.</summary>
    private async Task AttemptAsync(HttpContext http, Passage passage, Journey journey, Walk walk, Exchange first, Reply reply, bool shared)
    {
        var latest = first;
        try
        {
            await walk.RunAsync(first, async step => latest = await ReserveAsync(http, passage, journey, first.Sent.Call, step, walk.Alone, shared), reply.Send, reply.Wait, http.RequestAborted);
        }
        catch (RefusedException e) when (reply.Refuse is not null && http.Response.HasStarted)
        {
            journey.End();
            await passage.SettleAsync();
            await reply.Refuse(latest, e.Refusal);
        }
        finally
        {
            journey.End();
        }
    }

    /// <summary>A whole answer; where we chose its tier, one that stands the check of its task.</summary>
    private async Task<Fetched> FetchAsync(HttpContext http, Passage passage, Exchange exchange) =>
        await Veto.CheckAsync(await relay.FetchAsync(http, exchange), planner.Selection, (choice, behind) => FetchAgainAsync(http, passage, exchange.Sent.Call, choice, behind));

    /// <summary>Steps 4 and 6 to 8 for a call that another tier has answered badly.</summary>
    private async Task<Fetched> FetchAgainAsync(HttpContext http, Passage passage, ChatCall call, Choice choice, Target behind)
    {
        var journey = Route(http, passage.Caller, call, choice, behind);
        using var walk = failover.Start(journey.Plan, target => Planner.Objection(target, call));
        Fetched? answer = null;
        var first = await ReserveAsync(http, passage, journey, call, await walk.NextAsync(pause => pause, http.RequestAborted), walk.Alone);
        await AttemptAsync(http, passage, journey, walk, first, new Reply(async exchange => answer = await relay.FetchAsync(http, exchange)), shared: false);
        return answer!;
    }

    private static IAnswerWriter Guarded(HttpContext http, IChatDialect dialect, AnswerHead head, Attempt attempt)
    {
        var writer = dialect.Answer(head);
        return RequestGuard.Of(http) is { } request && request.Answer(head) is { } guard ? new GuardedWriter(writer, guard, request, attempt, http.Response.Headers) : writer;
    }

    /// <param name="shared">Others wait for the same answer: it must not be cut down to what this caller can pay.</param>
    private async Task<Exchange> ReserveAsync(HttpContext http, Passage passage, Journey journey, ChatCall call, Step step, bool alone, bool shared = false)
    {
        using var span = Steps.Start("reserve");
        var (target, attempt) = (step.Target, attempts.At(journey, step));
        var sent = new ProviderCall(call, target.Model, target.Cap(call.MaxOutputTokens), attempt.Id) { Timeouts = target.Timeouts };
        var (ceiling, tokens) = await admission.Large.RunAsync(
            SizeOf(call),
            () => (Ceiling.Of(target, sent, attempts.Tokens), passage.CountsTokens ? TokenEstimate.Of(sent, attempts.Tokens) : 0),
            http.RequestAborted);
        var hold = await attempt.ReserveAsync(passage, tokens, shared ? ceiling.Need with { Least = ceiling.Need.Ceiling } : ceiling.Need, http.RequestAborted);
        var cap = target.OwnKey ? sent.MaxOutputTokens : ceiling.CapFor(hold.Granted);
        return new Exchange(journey.Origin, target, sent with { MaxOutputTokens = cap }, attempt) { Alone = alone, Whole = cap == sent.MaxOutputTokens };
    }

    /// <summary>A call we made ourselves has no body, and all its text is the client's.</summary>
    private static long SizeOf(ChatCall call) => call.Body.Length > 0 ? call.Body.Length : call.Messages.Sum(message => message.Parts.Sum(part => part is TextPart text ? (long)text.Text.Length : 0));

    private Journey Route(HttpContext http, Caller caller, ChatCall call, Choice? choice, Target? behind = null)
    {
        using var step = Steps.Start("route");
        var plan = planner.PlanFor(http, caller, call, choice, behind);
        var origin = new CallOrigin(RequestScope.Of(http), caller, RequestEdge.RouteOf(http), Router.Chat, call.Model, call.Stream, Conversation(http, call), call.EndUser) { Template = call.Template?.ToString(), Choice = choice };
        return new Journey(origin, plan, attempts.Start(origin, plan.First, plan.Decision));
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
    /// <summary>Nobody else could answer.</summary>
    public bool Alone { get; init; }

    /// <summary>Its output was not cut down to what the caller can pay.</summary>
    public bool Whole { get; init; }

    /// <summary>Null until something is written.</summary>
    public IAnswerWriter? Writer { get; set; }
}

/// <summary>How an answer comes to its client.</summary>
/// <param name="Send">One attempt's answer. Throws <see cref="TargetFailedException"/> where nothing of it went out.</param>
internal sealed record Reply(Func<Exchange, Task> Send)
{
    /// <summary>Lets time pass after an attempt that failed.</summary>
    public Func<Exchange, Task, Task> Wait { get; init; } = static (_, pause) => pause;

    /// <summary>Tells an answer that has begun why it ends; null where an answer begins with its end.</summary>
    public Func<Exchange, Refusal, Task>? Refuse { get; init; }
}
