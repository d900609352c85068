using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Aws.CloudWatch;
using Penstock.Contracts;
using Penstock.Emulators;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>Lines of metrics, held against the rules of the Embedded Metric Format.</summary>
public sealed class EmfTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly ManualTime _time = new();
    private readonly List<string> _lines = [];
    private readonly EmfMetrics _emf;
    private readonly Histogram<long> _tokens;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _firstToken;
    private readonly Counter<double> _cost;

    public EmfTests()
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        _emf = new EmfMetrics(meters, _time, line => _lines.Add(Encoding.UTF8.GetString(line.Span)));
        var meter = meters.Create("Penstock");
        _tokens = meter.CreateHistogram<long>("gen_ai.client.token.usage");
        _duration = meter.CreateHistogram<double>("gen_ai.client.operation.duration");
        _firstToken = meter.CreateHistogram<double>("gen_ai.server.time_to_first_token");
        _cost = meter.CreateCounter<double>("penstock.cost");
    }

    public void Dispose()
    {
        _emf.Dispose();
        _services.Dispose();
    }

    [Fact]
    public void Calls_of_one_model_are_one_valid_line()
    {
        Call("openai", "gpt-4o-mini", 100, 20, 0.5, 0.0003, firstToken: 0.1);
        Call("openai", "gpt-4o-mini", 200, 30, 1.5, 0.0004, firstToken: 0.2);
        Call("openai", "gpt-4o-mini", 0, 0, 0.01, 0, "provider_rate_limited");
        Call("openai", "gpt-4o-mini", 5, 1, 0.02, 0, "client_gone");

        _emf.Flush();

        var line = Assert.Single(_lines);
        var root = Valid(line);
        Assert.Equal(("openai", "gpt-4o-mini"), ((string)root["Provider"]!, (string)root["Model"]!));
        Assert.Equal((4d, 1d, 1d, 305d, 51d), (Value("Requests"), Value("Errors"), Value("Throttles"), Value("InputTokens"), Value("OutputTokens")));
        Assert.Equal(0.0007, Value("CostUsd"), 9);
        Assert.Equal([500d, 1500, 10, 20], root["Duration"]!.AsArray().Select(value => (double)value!));
        Assert.Equal([100d, 200], root["TimeToFirstToken"]!.AsArray().Select(value => (double)value!));
        Assert.Equal(_time.GetUtcNow().ToUnixTimeMilliseconds(), (long)root["_aws"]!["Timestamp"]!);
        double Value(string name) => (double)root[name]!;
    }

    [Fact]
    public void What_was_written_is_not_written_again()
    {
        Call("openai", "gpt-4o-mini", 1, 1, 1, 1);
        _emf.Flush();
        _emf.Flush();

        Assert.Single(_lines);
    }

    [Fact]
    public void A_thousand_calls_lose_none_and_no_line_has_more_values_than_may_be()
    {
        Parallel.For(0, 1_000, i => Call($"p{i % 3}", "m", 1, 1, 0.001 * i, 0, firstToken: 0.001));

        _emf.Flush();

        var lines = _lines.Select(Valid).ToArray();
        Assert.Equal(1_000, lines.Sum(line => (double)line["Requests"]!));
        Assert.Equal(1_000, lines.Sum(line => line["Duration"]?.AsArray().Count ?? 0));
        Assert.Equal(1_000, lines.Sum(line => line["TimeToFirstToken"]?.AsArray().Count ?? 0));
    }

    [Fact]
    public void Names_without_end_are_one_series()
    {
        for (var i = 0; i < 2_000; i++) Call("openai", $"made-up-{i}", 1, 1, 1, 0);

        _emf.Flush();

        Assert.InRange(_lines.Select(line => (string)Valid(line)["Model"]!).Distinct().Count(), 100, 501);
        Assert.Equal(2_000, _lines.Sum(line => (double)Valid(line)["Requests"]!));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\"b\n\u0001ü")]
    public void Any_name_makes_a_valid_line(string name)
    {
        Call(name, name, 1, 1, 1, 1);
        Call(new string('x', 5_000), "m", 1, 1, 1, 1);

        _emf.Flush();

        Assert.Equal(2, _lines.Count);
        Assert.All(_lines, line => Valid(line));
    }

    [Fact]
    public void Another_host_of_this_process_is_not_heard()
    {
        using var others = new ServiceCollection().AddMetrics().BuildServiceProvider();
        others.GetRequiredService<IMeterFactory>().Create("Penstock").CreateCounter<double>("penstock.cost").Add(1);

        _emf.Flush();

        Assert.Empty(_lines);
    }

    [Fact]
    public async Task Lines_come_by_the_clock_and_at_the_end()
    {
        var ct = TestContext.Current.CancellationToken;
        await _emf.StartAsync(ct);
        Call("openai", "m", 1, 1, 1, 1);
        while (_lines.Count == 0)
        {
            _time.Advance(EmfMetrics.Every);
            await Task.Yield();
        }

        Call("openai", "m", 1, 1, 1, 1);
        await _emf.StopAsync(ct);

        Assert.Equal(2, _lines.Count);
    }

    [Theory]
    [InlineData("""{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"a":1}""")]
    [InlineData("""{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["d"]],"Metrics":[{"Name":"m","Unit":"Count"}]}]},"m":1}""")]
    [InlineData("""{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["d"]],"Metrics":[{"Name":"m","Unit":"Tokens"}]}]},"d":"x","m":1}""")]
    [InlineData("""{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["d"]],"Metrics":[{"Name":"m","Unit":"Count"}]}]},"d":"x","m":"1"}""")]
    [InlineData("""{"_aws":{"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["d"]],"Metrics":[{"Name":"m","Unit":"Count"}]}]},"d":"x","m":1}""")]
    public void The_rules_find_a_line_that_breaks_them(string line) => Assert.NotEmpty(EmfRules.Broken(JsonNode.Parse(line)!.AsObject()));

    private static JsonObject Valid(string line)
    {
        Assert.EndsWith("\n", line, StringComparison.Ordinal);
        Assert.Single(line, '\n');
        var root = JsonNode.Parse(line)!.AsObject();
        Assert.Empty(EmfRules.Broken(root));
        return root;
    }

    private void Call(string provider, string model, long input, long output, double seconds, double cost, string? error = null, double? firstToken = null)
    {
        KeyValuePair<string, object?> by = new("gen_ai.provider.name", provider), of = new("gen_ai.request.model", model);
        _tokens.Record(input, by, of, new("gen_ai.token.type", "input"));
        _tokens.Record(output, by, of, new("gen_ai.token.type", "output"));
        if (error is null) _duration.Record(seconds, by, of);
        else _duration.Record(seconds, by, of, new("error.type", error));
        if (firstToken is { } first) _firstToken.Record(first, by, of);
        _cost.Add(cost, by, of);
    }
}
