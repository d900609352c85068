using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Http;
using Penstock.Keys;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>What a client asks to be embedded.</summary>
internal sealed record EmbedRequest(string Model, IReadOnlyList<string> Inputs, int? Dimensions, string? EndUser);

/// <summary>Embeddings, in the same order as a chat: authenticate, limit, validate, route, cache, reserve, call, settle.</summary>
internal sealed class Embeddings(Admission admission, Router router, AnswerCache cache, Failover failover, Attempts attempts, Drain drain)
{
    public async Task RunAsync(HttpContext http, Func<ReadOnlyMemory<byte>, EmbedRequest> read, Func<EmbedAnswer, Receipt, Attempt, Task> write)
    {
        await using var passage = await admission.AdmitAsync(http, Scopes.Embed);
        var (body, request) = await admission.ReadAsync(http, passage.Caller, read);
        var plan = router.Plan(request.Model, Router.Embedding, passage.Caller, Router.OwnKeyOf(http.Request.Headers));
        var origin = new CallOrigin(RequestScope.Of(http), passage.Caller, RequestEdge.RouteOf(http), "embeddings", request.Model, false, null, request.EndUser);
        var journey = new Journey(origin, plan, attempts.Start(origin, plan.First, plan.Decision));

        using var turn = await cache.OpenAsync(http, journey, null, new CacheQuestion(origin.Route, body, CacheQuestion.IgnoredBy(Dialect.OpenAi)), admission.Large);
        if (turn == CacheTurn.Answered) return;

        using var walk = failover.Start(plan, _ => null);
        var inputs = AsCall(request);
        var first = await ReserveAsync(await walk.NextAsync(pause => pause, http.RequestAborted));
        await turn.RunAsync(http, whole: true, async () =>
        {
            try
            {
                await walk.RunAsync(first, ReserveAsync, AnswerAsync, (_, pause) => pause, http.RequestAborted);
            }
            finally
            {
                journey.End();
            }
        });

        async Task<Attempt> ReserveAsync(Step step)
        {
            var attempt = attempts.At(journey, step);
            var (tokens, need) = await admission.Large.RunAsync(
                body.Length,
                () => (passage.CountsTokens ? attempts.Tokens.Count(inputs, step.Target.Model).Tokens : 0, Ceiling.OfEmbedding(step.Target, inputs, attempts.Tokens)),
                http.RequestAborted);
            await attempt.ReserveAsync(passage, tokens, need, http.RequestAborted);
            return attempt;
        }

        async Task AnswerAsync(Attempt attempt)
        {
            var (answer, receipt) = await CallAsync(http, request, attempt);
            await write(answer, receipt, attempt);
        }
    }

    private async Task<(EmbedAnswer Answer, Receipt Receipt)> CallAsync(HttpContext http, EmbedRequest request, Attempt attempt)
    {
        var target = attempt.Target;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, drain.Cut);
        try
        {
            stop.Token.ThrowIfCancellationRequested();
            attempt.Sent = true;
            var answer = await target.Provider.EmbedAsync(new EmbedCall(target.Model, request.Inputs, request.Dimensions, request.EndUser, attempt.Id) { Timeouts = target.Timeouts }, stop.Token);
            attempt.Meter(answer.Tokens, answer.Estimated);
            return (answer, await attempt.BookAsync(AttemptOutcome.Completed, null));
        }
        catch (Exception e) when (!attempt.Booked)
        {
            throw await Settlement.FailAsync(attempt, target, e, AsCall(request), drain, http.RequestAborted);
        }
    }

    /// <summary>The inputs as a call, for counting what a provider did not report.</summary>
    private static ChatCall AsCall(EmbedRequest request) => new()
    {
        Dialect = Dialect.Native,
        Model = request.Model,
        Messages = [.. request.Inputs.Select(input => new ChatMessage(ChatRole.User, [new TextPart(input)]))],
    };
}
