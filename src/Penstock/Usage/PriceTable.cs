using Penstock.Kernel;

namespace Penstock.Usage;

/// <summary>Pico-dollars (10⁻¹² USD) per token, which is USD per million tokens times a million: exact for every published price.</summary>
public readonly record struct Rates(long Input, long CacheRead, long CacheWrite5m, long CacheWrite1h, long Output)
{
    /// <summary>Rounded up to the nano-dollar, so that a booking never falls short.</summary>
    public Money CostOf(TokenCounts tokens)
    {
        var picos = ((Int128)tokens.Input * Input) + ((Int128)tokens.CacheRead * CacheRead) + ((Int128)tokens.CacheWrite5m * CacheWrite5m)
            + ((Int128)tokens.CacheWrite1h * CacheWrite1h) + ((Int128)tokens.TotalOutput * Output);
        return new Money(checked((long)((picos + 999) / 1000)));
    }
}

/// <summary>With more input tokens than <paramref name="Above"/>, cached ones included, the whole request is priced at other rates.</summary>
public sealed record LongContext(long Above, Rates Rates);

/// <summary>What one model costs and can take.</summary>
public sealed record ModelPrice
{
    public const string Standard = "standard";

    public required string Model { get; init; }

    /// <summary>The vendor as the table names it: <c>openai</c>, <c>anthropic</c>, <c>bedrock</c>…</summary>
    public required string Vendor { get; init; }

    /// <summary><c>chat</c> or <c>embedding</c>; <c>responses</c> for models that no chat route serves.</summary>
    public required string Mode { get; init; }

    /// <summary>Rates by service class; <see cref="Standard"/> is always there.</summary>
    public required IReadOnlyDictionary<string, Rates> Classes { get; init; }

    public IReadOnlyList<LongContext> LongContexts { get; init; } = [];

    public int? MaxOutputTokens { get; init; }

    /// <summary>Whether it may reason before it writes. Of what it thinks, a stream shows nothing or a summary, and all of it is billed.</summary>
    public bool Reasons { get; init; }

    /// <summary>Tokens the model can read at once; null where the table does not say.</summary>
    public int? ContextTokens { get; init; }

    public static ModelPrice Free(string model) => new() { Model = model, Vendor = "", Mode = "chat", Classes = new Dictionary<string, Rates> { [Standard] = default } };

    /// <param name="served">The class the provider says it served; an unknown one is priced at the dearest, because it may be.</param>
    public Money CostOf(TokenCounts tokens, string? served)
    {
        Money best = Money.Zero;
        foreach (var longer in LongContexts)
        {
            if (tokens.TotalInput > longer.Above) best = Max(best, longer.Rates.CostOf(tokens));
        }

        if (Classes.TryGetValue(served ?? Standard, out var rates)) return Max(best, rates.CostOf(tokens));
        foreach (var each in Classes.Values) best = Max(best, each.CostOf(tokens));
        return best;
    }

    /// <summary>The dearest rates at which <paramref name="input"/> tokens may be billed. No provider bills a call above them that is not flagged.</summary>
    /// <param name="anyClass">The client left the service class open, or named one: any of them may be served.</param>
    public Rates Dearest(long input, bool anyClass)
    {
        var rates = anyClass ? Classes.Values.Aggregate(Max) : Classes[Standard];
        return LongContexts.Where(longer => input > longer.Above).Aggregate(rates, (dearest, longer) => Max(dearest, longer.Rates));
    }

    private static Rates Max(Rates left, Rates right) => new(
        Math.Max(left.Input, right.Input),
        Math.Max(left.CacheRead, right.CacheRead),
        Math.Max(left.CacheWrite5m, right.CacheWrite5m),
        Math.Max(left.CacheWrite1h, right.CacheWrite1h),
        Math.Max(left.Output, right.Output));

    private static Money Max(Money left, Money right) => left > right ? left : right;
}

/// <summary>The dated table of prices: the one we ship, and over it the operator's own from <c>penstock.json</c>.</summary>
public sealed class PriceTable(string version, IReadOnlyDictionary<string, ModelPrice> models)
{
    /// <summary>Stands on every ledger row.</summary>
    public string Version { get; } = version;

    public IEnumerable<ModelPrice> Models => models.Values;

    /// <summary>The price under <c>provider/model</c>, else the vendor's own under its bare name; null where there is none.</summary>
    public ModelPrice? Find(string provider, string model) =>
        models.GetValueOrDefault($"{provider}/{model}") ?? (models.TryGetValue(model, out var price) && price.Vendor == provider ? price : null);

    /// <summary>The model under its vendor's name, whoever serves it; null where the table does not know it.</summary>
    public ModelPrice? Find(string model) => models.GetValueOrDefault(model);
}
