using Penstock.Gateway.Routing;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>Books an attempt that did not complete, and says what is to be thrown in place of what ended it.</summary>
internal static class Settlement
{
    /// <summary>Refusal codes of endings that no client is told of.</summary>
    public const string ClientGone = "client_gone";
    public const string Bug = "internal_error";

    /// <returns>
    /// <see cref="TargetFailedException"/> where another target may answer, <see cref="RefusedException"/> for the client, <see cref="ClientGoneException"/> where it
    /// left, or the bug itself.
    /// </returns>
    public static async Task<Exception> FailAsync(Attempt attempt, Target target, Exception e, ChatCall call, Drain drain, CancellationToken clientGone)
    {
        switch (e)
        {
            case ProviderException fault:
                var refusal = fault.ToRefusal(target);
                var nothing = fault.BilledNothing() && !attempt.Heard;
                attempt.Entered?.Failed(fault, refusal);
                await attempt.BookAsync(fault.Fault == ProviderFault.CutShort ? AttemptOutcome.CutShort : AttemptOutcome.ProviderFailed, nothing ? null : call, refusal.Code, final: attempt.Begun);
                return attempt.Begun ? new RefusedException(refusal) : new TargetFailedException(fault, refusal);

            case RefusedException refused:
                await attempt.BookAsync(AttemptOutcome.ProviderFailed, attempt.Heard ? call : null, refused.Refusal.Code);
                return refused;

            case ClientGoneException:
            case OperationCanceledException or IOException when clientGone.IsCancellationRequested:
                await attempt.BookAsync(AttemptOutcome.ClientGone, call, ClientGone);
                return new ClientGoneException(clientGone);

            case OperationCanceledException when drain.Cut.IsCancellationRequested:
                await attempt.BookAsync(AttemptOutcome.Drained, call, Drain.Refusal.Code);
                return new RefusedException(Drain.Refusal);

            default:
                await attempt.BookAsync(AttemptOutcome.ProviderFailed, call, Bug);
                return e;
        }
    }
}
