using System.Buffers;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Usage;

public sealed class UsageJsonTests
{
    [Theory]
    [InlineData("39", "2", "0.78", "39.78")]
    [InlineData("0.000000001", "2", "0.00000000002", "0.00000000102")]
    [InlineData("123456789.123456789", "2.5", "3086419.728086419725", "126543208.851543208725")]
    [InlineData("39", "0", "0", "39")]
    [InlineData("-1.5", "10", "-0.15", "-1.65")]
    public void A_markup_is_exact_and_stands_apart(string cost, string percent, string markup, string billed)
    {
        var json = Written(writer => UsageJson.WriteSum(writer, UsageSum.Nothing with { Cost = Usd(cost) }, Number(percent)));

        Assert.Equal((Number(cost), Number(markup), Number(billed)), (json.GetProperty("totalCost").GetDecimal(), json.GetProperty("markup").GetDecimal(), json.GetProperty("billed").GetDecimal()));
    }

    [Fact]
    public void What_the_cache_saved_and_what_own_keys_paid_is_in_no_cost()
    {
        var sum = new UsageSum(7, 1, default, Usd("1")) { CacheHits = 2, Saved = Usd("0.25"), OwnKeyAttempts = 3, OwnKeyCost = Usd("70") };

        var json = Written(writer => UsageJson.WriteSum(writer, sum, 2));

        Assert.Equal((1m, 0.02m, 1.02m), (json.GetProperty("totalCost").GetDecimal(), json.GetProperty("markup").GetDecimal(), json.GetProperty("billed").GetDecimal()));
        Assert.Equal((2, 0.25m), (json.GetProperty("cacheHits").GetInt64(), json.GetProperty("savedCost").GetDecimal()));
        Assert.Equal("""{"requests":3,"cost":70}""", json.GetProperty("ownKey").GetRawText());
    }

    [Fact]
    public void Markups_of_groups_add_up_to_that_of_their_sum()
    {
        var costs = Enumerable.Range(1, 1000).Select(number => new Money(number * 7919L)).ToArray();

        Assert.Equal(UsageJson.Markup(costs.Aggregate((left, right) => left + right), 2.3m), costs.Sum(cost => UsageJson.Markup(cost, 2.3m)));
    }

    [Fact]
    public void Quantiles_are_within_the_error_they_state()
    {
        var values = Enumerable.Range(0, 5000).Select(number => 3L + (number * 7919L % 5003 * (number % 17 + 1))).ToArray();
        var spread = new UsageSpread();
        foreach (var value in values) spread.Add(AttemptOutcome.Completed, (int)value, (int)value, new Money(value));

        var json = Written(writer => UsageJson.WriteSpread(writer, spread));

        foreach (var (name, unit) in new[] { ("latencyMs", 1m), ("firstTokenMs", 1m), ("costPerRequest", 1_000_000_000m) })
        {
            var quantiles = json.GetProperty(name);
            var error = quantiles.GetProperty("error").GetDecimal();
            Assert.Equal(0.02m, error);
            foreach (var (q, at) in new[] { ("p50", 0.5), ("p95", 0.95), ("p99", 0.99) })
            {
                var truth = values.Order().ElementAt((int)Math.Ceiling(at * values.Length) - 1) / unit;
                Assert.InRange(quantiles.GetProperty(q).GetDecimal() / truth, 1 - error, 1 + error);
            }
        }
    }

    [Fact]
    public void Where_nothing_was_counted_there_is_no_quantile()
    {
        Assert.Equal("{}", Written(writer => UsageJson.WriteSpread(writer, new UsageSpread())).GetRawText());
        Assert.Equal("""{"conversations":0}""", Written(writer => UsageJson.WriteConversations(writer, new LogHistogram())).GetRawText());
    }

    [Fact]
    public void A_projection_keeps_own_keys_apart()
    {
        var now = new DateTimeOffset(2026, 11, 11, 0, 0, 0, TimeSpan.Zero);

        var json = Written(writer => UsageJson.WriteProjection(writer, UsageSum.Nothing with { Cost = Usd("10"), OwnKeyCost = Usd("70") }, now));

        Assert.Equal(
            """{"from":"2026-11-01T00:00:00+00:00","to":"2026-12-01T00:00:00+00:00","elapsed":0.333333,"platform":{"spent":10,"projected":30},"ownKey":{"spent":70,"projected":210}}""",
            json.GetProperty("projection").GetRawText());
    }

    private static Money Usd(string usd) => Money.FromUsd(Number(usd));

    private static decimal Number(string text) => decimal.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    private static JsonElement Written(Action<Utf8JsonWriter> members)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, Penstock.Http.Json.Options))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return JsonDocument.Parse(body.WrittenMemory).RootElement;
    }
}
