using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Http;
using Penstock.Keys;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>What a client asks to be embedded.</summary>
internal sealed record EmbedRequest(string Model, IReadOnlyList<string> Inputs, int? Dimensions, string? EndUser);

/// <summary>Embeddings, in the same order as a chat: authenticate, limit, validate, route, call, settle.</summary>
internal sealed class Embeddings(Admission admission, Router router, Attempts attempts, Drain drain)
{
    public async Task<(EmbedAnswer Answer, Receipt Receipt, Attempt Attempt)> RunAsync(HttpContext http, Func<ReadOnlyMemory<byte>, EmbedRequest> read)
    {
        await using var passage = await admission.AdmitAsync(http, Scopes.Embed);
        var request = read(await Bodies.ReadAsync(http, router.Options.MaxBodyBytes));
        var target = router.Plan(request.Model, Router.Embedding, passage.Caller);
        var attempt = attempts.Start(new CallOrigin(RequestScope.Of(http), passage.Caller, RequestEdge.RouteOf(http), "embeddings", request.Model, false, null, request.EndUser), target);

        var inputs = AsCall(request);
        var tokens = passage.CountsTokens ? attempts.Tokens.Count(inputs, target.Model).Tokens : 0;
        await attempt.ReserveAsync(passage, tokens, Ceiling.OfEmbedding(target, inputs, attempts.Tokens), http.RequestAborted);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, drain.Cut);
        try
        {
            stop.Token.ThrowIfCancellationRequested();
            attempt.Sent = true;
            var answer = await target.Provider.EmbedAsync(new EmbedCall(target.Model, request.Inputs, request.Dimensions, request.EndUser, attempt.Id), stop.Token);
            attempt.Meter(answer.Tokens, answer.Estimated);
            return (answer, await attempt.BookAsync(AttemptOutcome.Completed, null), attempt);
        }
        catch (Exception e) when (!attempt.Booked)
        {
            throw await Settlement.FailAsync(attempt, target, e, inputs, drain, http.RequestAborted);
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
