using Penstock.Budgets;
using Penstock.Gateway.Routing;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>
/// The most a call can cost: a bound on its input that no provider's tokenizer passes, and the largest output it may have, at the dearest rates they may be billed at.
/// </summary>
internal sealed class Ceiling
{
    /// <summary>Where neither the client, the route nor the price table bounds the output: more than any model writes.</summary>
    private const int MostOutputTokens = 131_072;

    /// <summary>Where neither the request nor the price table bounds the input.</summary>
    private const int MostInputTokens = 1_048_576;

    /// <summary>Fewest output tokens a call that sets no limit itself is cut down to.</summary>
    private const int LeastOutputTokens = 64;

    private readonly ProviderCall _sent;
    private readonly Int128 _inputPicos;
    private readonly Int128 _picosPerOutput;

    private Ceiling(ProviderCall sent, Int128 inputPicos, Int128 picosPerOutput, int output)
    {
        (_sent, _inputPicos, _picosPerOutput) = (sent, inputPicos, picosPerOutput);
        Need = new Need(At(output), At(sent.Call.MaxOutputTokens is null ? Math.Min(output, LeastOutputTokens) : output), Extras.Of(sent.Call));
    }

    public Need Need { get; }

    /// <summary>
    /// Whether what <paramref name="target"/> bills can be more than what it showed when <paramref name="call"/> ended before its counts came: a whole answer
    /// shows nothing until it is done, a model that reasons thinks out of sight, and some providers write on to nobody.
    /// </summary>
    public static bool Hides(Target target, ChatCall call) =>
        !call.Stream || target.Provider.BillsOnWhenLeft || (target.Price.Reasons && (target.Price.Vendor != "anthropic" || call.DialectOnly.Contains("thinking")));

    public static Ceiling Of(Target target, ProviderCall sent, ITokenCounter tokens)
    {
        var price = target.Price;
        if (price.Vendor.Length == 0) return new Ceiling(sent, 0, 0, sent.MaxOutputTokens ?? MostOutputTokens);

        var input = tokens.UpperBound(sent.Call, target.Model) ?? price.ContextTokens ?? MostInputTokens;
        var rates = price.Dearest(input, anyClass: sent.Call.DialectOnly.Contains("service_tier"));
        var output = sent.MaxOutputTokens ?? price.MaxOutputTokens ?? MostOutputTokens;
        return new Ceiling(sent, (Int128)input * InputRate(rates, sent.Call), (Int128)rates.Output * sent.Call.Choices, output);
    }

    /// <summary>Embeddings have no output, and nothing that could be cut down.</summary>
    public static Need OfEmbedding(Target target, ChatCall inputs, ITokenCounter tokens)
    {
        var rates = target.Price.Classes[ModelPrice.Standard];
        var cost = rates.CostOf(TokenCounts.Of(tokens.UpperBound(inputs, target.Model) ?? MostInputTokens, 0));
        return new Need(cost, cost);
    }

    /// <summary>The output cap with which the call stays within <paramref name="granted"/>; what it was where that covers all of it.</summary>
    public int? CapFor(Money granted) => granted >= Need.Ceiling ? _sent.MaxOutputTokens : (int)(((granted.NanoDollars * (Int128)1000) - _inputPicos) / _picosPerOutput);

    private Money At(int output) => new(checked((long)((_inputPicos + (_picosPerOutput * output) + 999) / 1000)));

    /// <summary>Any input token may turn out to be written to a cache; for an hour only where the client says so.</summary>
    private static long InputRate(Rates rates, ChatCall call)
    {
        var rate = Math.Max(rates.Input, Math.Max(rates.CacheRead, rates.CacheWrite5m));
        // An escape may spell it differently.
        return call.Body.Span.IndexOf("\"1h\""u8) >= 0 || call.Body.Span.IndexOf("\\u"u8) >= 0 ? Math.Max(rate, rates.CacheWrite1h) : rate;
    }
}
