using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Kernel;

namespace Penstock.Gateway.Selecting;

/// <summary>An answer as it came, of the exchange that it came from.</summary>
internal sealed record Fetched(Exchange Exchange, ProviderFrame Frame, Receipt Receipt);

/// <summary>
/// Has a whole answer of a chosen small model checked, and one that fails asked again of the standard tier. Both attempts are booked: what a veto costs is in the
/// books. A stream is never taken back, and so never checked.
/// </summary>
internal static class Veto
{
    /// <param name="again">Asks for the same under another choice, in the place of the target that answered.</param>
    public static async Task<Fetched> CheckAsync(Fetched first, SelectionOptions options, Func<Choice, Target, Task<Fetched>> again)
    {
        var exchange = first.Exchange;
        if (exchange.Origin.Choice is not { } choice || choice.Tier == options.Standard || exchange.Target.Instead is not null || options.Tasks.GetValueOrDefault(choice.Task)?.Check is not { } check) return first;
        if (QualityCheck.Problem(check, exchange.Sent.Call, new AnswerFold().Add(first.Frame)) is not { } problem) return first;

        // The answer that goes out is no longer the one this attempt got: it is nobody's to be given again under its name.
        exchange.Attempt.Filtered = true;
        try
        {
            var second = await again(new Choice(options.Standard, choice.Task, $"{choice.Reason}; vetoed, {problem} > {options.Standard}"), exchange.Target);
            return second with { Receipt = second.Receipt with { Cost = first.Receipt.Cost + second.Receipt.Cost } };
        }
        catch (RefusedException)
        {
            // No money is left, or the provider fails: an answer that is paid for and doubtful is more than none.
            return first;
        }
    }
}
