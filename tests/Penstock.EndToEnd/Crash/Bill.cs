using Penstock.Upstream;

namespace Penstock.EndToEnd.Crash;

/// <summary>What a provider would put on its bill for an attempt, in nano-dollars: its own count, at prices written here once more.</summary>
internal sealed record Bill(string Attempt, string Model, SeenOutcome Outcome, bool Told, long Nanos)
{
    /// <summary>Nano-dollars for a thousand tokens: input, output.</summary>
    private static readonly Dictionary<string, (long Input, long Output)> Prices = new()
    {
        ["gpt-4o-mini"] = (150_000, 600_000),
        ["claude-haiku-4-5"] = (1_000_000, 5_000_000),
        ["text-embedding-3-small"] = (20_000, 0),
    };

    public static Bill Of(SeenCall call)
    {
        var (input, output) = Prices[call.Model ?? throw new InvalidOperationException($"{call.Path} named no model: {call.BodyText}")];
        var thousandths = (call.Billed.TotalInput * input) + (call.Billed.TotalOutput * output);
        return new Bill(call.ClientRequestId!, call.Model!, call.Outcome, call.UsageSent, (thousandths + 999) / 1000);
    }
}
