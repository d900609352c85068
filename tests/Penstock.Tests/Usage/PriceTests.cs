using System.Numerics;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Configuration;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Usage;

public sealed class PriceTests
{
    private readonly PriceSection _section = new();

    [Fact]
    public void The_shipped_table_loads_whole_and_knows_no_free_model()
    {
        Assert.Equal("2026-07-24", _section.Current.Version);
        Assert.Equal(85, _section.Current.Models.Count());
        foreach (var model in _section.Current.Models)
        {
            Assert.Contains(model.Vendor, new[] { "openai", "anthropic", "bedrock" });
            Assert.Contains(model.Mode, new[] { "chat", "embedding", "responses" });
            foreach (var (name, rates) in model.Classes)
            {
                Assert.True(rates.Input > 0 && rates.CacheRead > 0 && rates.CacheWrite5m > 0, $"{model.Model} {name}");
                Assert.True(rates.CacheWrite1h >= rates.CacheWrite5m, $"{model.Model} {name}");
                Assert.True(model.Mode == "embedding" || rates.Output > 0, $"{model.Model} {name}");
            }
        }
    }

    [Theory]
    // 3,000 in and 2,000 out at $3 and $15 a million.
    [InlineData("claude-sonnet-4-20250514", 3000, 0, 0, 0, 2000, 0, 39_000_000)]
    [InlineData("claude-sonnet-4-20250514", 0, 1000, 0, 0, 0, 0, 300_000)]
    [InlineData("claude-sonnet-4-20250514", 0, 0, 1000, 0, 0, 0, 3_750_000)]
    [InlineData("claude-sonnet-4-20250514", 0, 0, 0, 1000, 0, 0, 6_000_000)]
    [InlineData("claude-sonnet-4-20250514", 10, 20, 30, 40, 50, 60, 30_000 + 6_000 + 112_500 + 240_000 + 1_650_000)]
    [InlineData("gpt-4", 1, 0, 0, 0, 1, 0, 90_000)]
    [InlineData("gpt-4o-mini", 1, 0, 0, 0, 0, 0, 150)]
    [InlineData("gpt-4o-mini", 0, 1, 0, 0, 0, 0, 75)]
    [InlineData("text-embedding-3-small", 1, 0, 0, 0, 0, 0, 20)]
    public void A_call_costs_exactly_what_its_vendor_charges(string model, long input, long read, long write5m, long write1h, long output, long reasoning, long nanos) =>
        Assert.Equal(new Money(nanos), Price(model).CostOf(new TokenCounts(input, read, write5m, write1h, output, reasoning), null));

    [Fact]
    public void The_seeds_example_is_39_thousandths_of_a_dollar() => Assert.Equal(0.039m, Price("claude-sonnet-4-20250514").CostOf(TokenCounts.Of(3000, 2000), null).Usd);

    [Theory]
    // gpt-5 with flex and priority; o4-mini's cached flex rate is 0.1375 USD a million.
    [InlineData("gpt-5", null, 1000, 1000, 1_250_000 + 10_000_000)]
    [InlineData("gpt-5", "standard", 1000, 1000, 1_250_000 + 10_000_000)]
    [InlineData("gpt-5", "flex", 1000, 1000, 625_000 + 5_000_000)]
    [InlineData("gpt-5", "priority", 1000, 1000, 2_500_000 + 20_000_000)]
    [InlineData("gpt-5", "ultra", 1000, 1000, 2_500_000 + 20_000_000)]
    [InlineData("gpt-5", "", 1000, 1000, 2_500_000 + 20_000_000)]
    [InlineData("gpt-5", "batch", 1000, 1000, 2_500_000 + 20_000_000)]
    [InlineData("gpt-4o", "batch", 1000, 1000, 1_250_000 + 5_000_000)]
    [InlineData("gpt-4", "priority", 1000, 1000, 30_000_000 + 60_000_000)]
    public void The_class_that_was_served_decides_and_an_unknown_one_is_the_dearest(string model, string? served, long input, long output, long nanos) =>
        Assert.Equal(new Money(nanos), Price(model).CostOf(TokenCounts.Of(input, output), served));

    [Fact]
    public void A_rate_a_class_leaves_out_is_the_standard_one()
    {
        var cached = new TokenCounts(0, 1000, 0, 0, 0, 0);

        Assert.Equal(Price("gpt-4o").CostOf(cached, null), Price("gpt-4o").CostOf(cached, "batch"));
        Assert.Equal(Price("gpt-5-nano").CostOf(TokenCounts.Of(0, 1000), null), Price("gpt-5-nano").CostOf(TokenCounts.Of(0, 1000), "priority"));
        Assert.NotEqual(Price("gpt-5-nano").CostOf(TokenCounts.Of(1000, 0), null), Price("gpt-5-nano").CostOf(TokenCounts.Of(1000, 0), "priority"));
    }

    [Fact]
    public void A_model_without_cache_rates_charges_its_input_rate() =>
        Assert.Equal(Price("gpt-4").CostOf(TokenCounts.Of(400, 0), null), Price("gpt-4").CostOf(new TokenCounts(100, 100, 100, 100, 0, 0), null));

    [Theory]
    [InlineData(200_000, 600_000_000)]
    [InlineData(200_001, 1_200_006_000)]
    public void Past_its_threshold_the_whole_request_is_priced_at_the_long_rates(long input, long nanos) =>
        Assert.Equal(new Money(nanos), Price("claude-sonnet-4-20250514").CostOf(TokenCounts.Of(input, 0), null));

    [Fact]
    public void The_threshold_counts_cached_input_and_its_output_is_dearer_too()
    {
        var counts = new TokenCounts(1, 200_000, 0, 0, 1000, 0);

        Assert.Equal(new Money(6_000 + 120_000_000 + 22_500_000), Price("claude-sonnet-4-20250514").CostOf(counts, null));
    }

    [Fact]
    public void A_long_request_is_never_cheaper_for_its_class()
    {
        var counts = TokenCounts.Of(300_000, 1000);
        var model = Price("gpt-5.4");

        Assert.Equal(model.CostOf(counts, null), model.CostOf(counts, "flex"));
        Assert.True(model.CostOf(counts, "priority") >= model.CostOf(counts, null));
    }

    [Fact]
    public void Less_than_a_nano_dollar_is_rounded_up_once_for_the_call()
    {
        // A tenth of a cent a million is a pico-dollar a token times a thousand.
        var rates = new Rates(1, 1, 1, 1, 1);

        Assert.Equal(Money.Zero, rates.CostOf(default));
        Assert.Equal(new Money(1), rates.CostOf(TokenCounts.Of(1, 0)));
        Assert.Equal(new Money(1), rates.CostOf(new TokenCounts(200, 200, 200, 200, 100, 100)));
        Assert.Equal(new Money(2), rates.CostOf(new TokenCounts(200, 200, 200, 200, 100, 101)));
    }

    [Fact]
    public void A_cost_is_that_of_arithmetic_without_bounds()
    {
        for (ulong seed = 0; seed < 2_000; seed++)
        {
            var seeded = new SeededSource(seed);
            long Rate() => seeded.Below(1_000_000_000);
            long Count() => seeded.Below(seeded.Pick(2, 1000, 1_000_000_000));
            var rates = new Rates(Rate(), Rate(), Rate(), Rate(), Rate());
            var counts = new TokenCounts(Count(), Count(), Count(), Count(), Count(), Count());
            var picos = ((BigInteger)counts.Input * rates.Input) + ((BigInteger)counts.CacheRead * rates.CacheRead) + ((BigInteger)counts.CacheWrite5m * rates.CacheWrite5m)
                + ((BigInteger)counts.CacheWrite1h * rates.CacheWrite1h) + ((BigInteger)(counts.Output + counts.Reasoning) * rates.Output);

            Assert.Equal((picos + 999) / 1000, rates.CostOf(counts).NanoDollars);
        }
    }

    [Fact]
    public void A_cost_past_all_money_is_an_error_and_never_wraps() =>
        Assert.Throws<OverflowException>(() => new Rates(1_000_000_000_000, 0, 0, 0, 0).CostOf(TokenCounts.Of(long.MaxValue / 2, 0)));

    [Fact]
    public void An_override_keeps_the_vendor_of_a_bare_known_name_and_nothing_of_its_old_prices()
    {
        Assert.Empty(_section.Read("""{"prices": {"version": "mine", "models": {"claude-sonnet-4-20250514": {"input": 1, "output": 2}}}}"""));
        var price = _section.Current.Find("anthropic", "claude-sonnet-4-20250514");

        Assert.Equal("mine", _section.Current.Version);
        Assert.NotNull(price);
        Assert.Equal("anthropic", price.Vendor);
        Assert.Equal("chat", price.Mode);
        Assert.Equal(new Money(300_000_000 + 2_000_000), price.CostOf(TokenCounts.Of(300_000, 1000), null));
        Assert.Equal(price.CostOf(TokenCounts.Of(1000, 0), null), price.CostOf(new TokenCounts(0, 1000, 0, 0, 0, 0), null));
        Assert.Equal(new Money(90_000), Price("gpt-4").CostOf(TokenCounts.Of(1, 1), null));
    }

    [Fact]
    public void An_override_of_provider_and_model_is_that_providers_alone()
    {
        Assert.Empty(_section.Read("""{"prices": {"version": "mine", "models": {"groq/llama": {"input": 0.5, "output": 0.75, "cacheRead": 0.05, "cacheWrite": 0.6, "cacheWrite1h": 0.9}, "openai/gpt-4": {"input": 2, "output": 2}, "groq/embed": {"input": 0.1}}}}"""));
        var table = _section.Current;

        Assert.Equal(new Money(500 + 50 + 600 + 900 + 1500), table.Find("groq", "llama")!.CostOf(new TokenCounts(1, 1, 1, 1, 1, 1), null));
        Assert.Null(table.Find("llama"));
        Assert.Null(table.Find("openai", "llama"));
        Assert.Equal("embedding", table.Find("groq", "embed")!.Mode);
        Assert.Equal(new Money(4_000), table.Find("openai", "gpt-4")!.CostOf(TokenCounts.Of(1, 1), null));
        Assert.Null(table.Find("azure", "gpt-4"));
    }

    [Theory]
    [InlineData("""{"version": "v", "models": {"nobody": {"input": 1, "output": 1}}}""", "prices.models.nobody")]
    [InlineData("""{"version": "v", "models": {"/x": {"input": 1, "output": 1}}}""", "prices.models./x")]
    [InlineData("""{"version": "v", "models": {"groq/": {"input": 1, "output": 1}}}""", "prices.models.groq/")]
    [InlineData("""{"version": "v", "models": {"gpt-4": {"output": 1}}}""", "prices.models.gpt-4.input")]
    // A chat model whose output would be free is a slip of the pen, not a price.
    [InlineData("""{"version": "v", "models": {"gpt-4": {"input": 1}}}""", "prices.models.gpt-4.output")]
    [InlineData("""{"version": "v", "models": {"gpt-4": {"input": -1, "output": 1}}}""", "prices.models.gpt-4.input")]
    [InlineData("""{"version": "v", "models": {"gpt-4": {"input": 1e9, "output": 1}}}""", "prices.models.gpt-4.input")]
    [InlineData("""{"version": "v", "models": {"gpt-4": {"input": "1", "output": 1}}}""", "prices.models.gpt-4.input")]
    [InlineData("""{"version": "v", "models": {"gpt-4": {"input": 1, "output": 1, "cached": 1}}}""", "prices.models.gpt-4.cached")]
    [InlineData("""{"version": "", "models": {}}""", "prices.version")]
    [InlineData("""{"models": {}}""", "prices.version")]
    [InlineData("""{"version": "v"}""", "prices.models")]
    [InlineData("""{"version": "v", "models": []}""", "prices.models")]
    public void A_bad_price_is_refused_by_name(string prices, string field)
    {
        var error = Assert.Single(_section.Read($$"""{"prices": {{prices}}}"""));

        Assert.Contains($"'{field}'", error, StringComparison.Ordinal);
        Assert.Equal("2026-07-24", _section.Current.Version);
    }

    [Fact]
    public void A_price_too_fine_to_hold_is_rounded_up()
    {
        Assert.Empty(_section.Read("""{"prices": {"version": "v", "models": {"a/b": {"input": 0.0000001, "output": 1}}}}"""));

        Assert.Equal(new Money(1), _section.Current.Find("a", "b")!.CostOf(TokenCounts.Of(1, 0), null));
    }

    [Fact]
    public void A_class_never_costs_less_for_leaving_out_its_cache_writes()
    {
        // Where a dearer class has no rate for writing to the cache, the input's own rate is the least it can be.
        foreach (var model in _section.Current.Models)
        {
            foreach (var rates in model.Classes.Values.Concat(model.LongContexts.Select(longer => longer.Rates)))
                Assert.True(rates.CacheWrite5m >= rates.Input && rates.CacheWrite1h >= rates.CacheWrite5m, model.Model);
        }
    }

    private ModelPrice Price(string model) => _section.Current.Find(model)!;
}
