using System.Globalization;
using Penstock.Gateway;

namespace Penstock.Providers.Simulated;

/// <summary>How many tokens, and how long before each. The model's name says it: <c>20x10</c> is 20 tokens, one every 10 ms.</summary>
internal readonly record struct Pace(int Tokens, TimeSpan Gap)
{
    private const int MostTokens = 1_000_000;
    private const int LongestGapMs = 600_000;

    private static readonly Pace Usual = new(20, TimeSpan.Zero);

    /// <summary>Throws <see cref="ProviderException"/> where <paramref name="model"/> is no pace.</summary>
    public static Pace Of(string model)
    {
        if (model is "" or "simulated") return Usual;
        var name = model.StartsWith("simulated/", StringComparison.Ordinal) ? model["simulated/".Length..] : model;
        if (name.Split('x') is [var tokens, var gap]
            && int.TryParse(tokens, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= MostTokens
            && int.TryParse(gap, NumberStyles.None, CultureInfo.InvariantCulture, out var ms) && ms <= LongestGapMs)
        {
            return new Pace(count, TimeSpan.FromMilliseconds(ms));
        }

        var shown = model.Length <= 64 ? model : model[..64] + "…";
        throw new ProviderException(
            ProviderFault.ModelUnknown, $"'{shown}' is no simulated model. Use 'simulated', or '<tokens>x<ms>' such as '20x10', with 1 to {MostTokens} tokens and 0 to {LongestGapMs} ms.", 404, "model_not_found");
    }
}
