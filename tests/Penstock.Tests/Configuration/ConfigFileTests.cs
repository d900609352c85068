using System.Text;
using Microsoft.Extensions.Logging;
using Penstock.Configuration;
using Penstock.Contracts;
using Penstock.Gateway.Routing;
using Penstock.Limits;
using Penstock.Tests.Gateway;
using Penstock.Tests.Http;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Configuration;

public sealed class ConfigFileTests : IDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("penstock-");
    private readonly ManualTime _time = new();
    private readonly LogSink _log = new();
    private readonly LimitSection _limits = new();
    private readonly PriceSection _prices = new();
    private readonly RoutingSection _routing = new([new ScriptedKind("openai"), new ScriptedKind("local", Penstock.Gateway.Dialect.Native)], Sections.Environment());
    private readonly ConfigFile _file;

    public ConfigFileTests() => _file = new ConfigFile(FilePath, [_limits, _prices, _routing], _time, _log.For<ConfigFile>());

    private string FilePath => Path.Combine(_folder.FullName, "penstock.json");

    public void Dispose()
    {
        _file.Dispose();
        _log.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" \n\t ")]
    [InlineData("{}")]
    [InlineData("""{"$schema": "https://example.test/schema.json"}""")]
    [InlineData("\ufeff{}")]
    public void An_absent_or_empty_file_leaves_the_defaults(string? text)
    {
        if (text is not null) File.WriteAllText(FilePath, text);

        _file.Load();

        Assert.Equal(new LimitOptions(), _limits.Current);
        Assert.Equal(["local"], _routing.Current.Providers.Keys);
        Assert.Equal(85, _prices.Current.Models.Count());
    }

    [Fact]
    public void All_errors_of_all_sections_are_told_at_once()
    {
        Write("""
            {
              "limits": {"burst": 0, "requestsPerSecond": "x", "brust": 1},
              "prices": {"models": {"nobody": {"input": 1}, "gpt-4o": {"output": 1}}},
              "providers": {"groq": {"kind": "nonsense"}, "a/b": {"kind": "openai"}},
              "tiers": {"fast": {"targets": []}},
              "models": {"mine": {"target": "nowhere"}},
              "gateway": {"pingSeconds": 0},
              "limit": {}
            }
            """);

        var errors = Assert.Throws<ConfigException>(_file.Load).Errors;

        foreach (var name in new[] { "'limits.burst'", "'limits.requestsPerSecond'", "'limits.brust'", "'prices.version'", "'prices.models.nobody'", "'prices.models.gpt-4o.input'", "'providers.groq.kind'", "'providers.a/b'", "'tiers.fast.targets'", "'models.mine.target'", "'gateway.pingSeconds'", "'limit' is not a section" })
            Assert.Contains(errors, error => error.Contains(name, StringComparison.Ordinal));
        Assert.Equal(12, errors.Count);
        Assert.Equal(new LimitOptions(), _limits.Current);
    }

    [Fact]
    public void An_unknown_section_is_named_with_those_there_are()
    {
        Write("""{"Limits": {}}""");

        var error = Assert.Single(Assert.Throws<ConfigException>(_file.Load).Errors);

        Assert.Equal("'Limits' is not a section. Known: limits, prices, providers, models, tiers, gateway, routing.", error);
    }

    [Theory]
    [InlineData("""{"limits": {}, "limits": {"burst": 1}}""", "The file gives the same field twice; give each once.")]
    [InlineData("""{"limits": {"burst": 1, "burst": 2}}""", "The file gives the same field twice; give each once.")]
    [InlineData("{\n  \"limits\": {\n    burst: 1\n  }\n}", "The file is not valid JSON (line 3, byte 5).")]
    [InlineData("{\"limits\": {}", "The file is not valid JSON (line 1, byte 14).")]
    [InlineData("[]", "The file must be a JSON object, not an array.")]
    public void What_is_no_configuration_is_refused_with_its_place(string text, string expected)
    {
        Write(text);

        Assert.Equal(expected, Assert.Single(Assert.Throws<ConfigException>(_file.Load).Errors));
    }

    [Fact]
    public void Bytes_that_are_no_text_are_refused()
    {
        File.WriteAllBytes(FilePath, [.. "{\"limits\": {\"bu"u8, 0xc3, 0x28, .. "\": 1}}"u8]);

        Assert.Contains("not valid UTF-8", Assert.Single(Assert.Throws<ConfigException>(_file.Load).Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_too_large_is_refused_and_an_edit_that_makes_it_so_is_told_once()
    {
        Start("{}");
        File.WriteAllText(FilePath, new string(' ', (4 * 1024 * 1024) + 1));

        _time.Advance(5 * Second);

        Assert.Contains("is larger than 4194304 bytes", Assert.Single(Errors()), StringComparison.Ordinal);
        Assert.Throws<ConfigException>(_file.Load);
    }

    [Fact]
    public void An_edit_is_in_force_after_the_next_poll_and_not_before()
    {
        Start("{}");
        Write("""{"limits": {"burst": 7}, "tiers": {"fast": {"targets": ["local/local"], "maxOutputTokens": 5}}}""");

        _time.Advance(Second - TimeSpan.FromTicks(1));
        Assert.Equal(200, _limits.Current.EachKey.Burst);
        _time.Advance(TimeSpan.FromTicks(1));

        Assert.Equal(7, _limits.Current.EachKey.Burst);
        Assert.Equal(5, _routing.Current.Tiers["fast"].MaxOutputTokens);
        Assert.Contains(_log.Lines, line => line.Level == LogLevel.Information && line.Text == $"{FilePath} changed and is in force");
    }

    [Fact]
    public void A_section_taken_out_goes_back_to_its_defaults()
    {
        Start("""{"limits": {"burst": 7}, "prices": {"version": "mine", "models": {}}}""");
        Assert.Equal("mine", _prices.Current.Version);

        Write("""{"limits": {"burst": 7}}""");
        _time.Advance(Second);

        Assert.Equal(7, _limits.Current.EachKey.Burst);
        Assert.Equal("2026-07-24", _prices.Current.Version);
    }

    [Fact]
    public void An_invalid_edit_changes_nothing_and_each_error_is_logged_once()
    {
        Start("""{"limits": {"burst": 7}}""");
        Write("""{"limits": {"burst": 8}, "prices": {"models": {}}, "gateway": {"allowUnpriced": "yes"}}""");

        _time.Advance(5 * Second);

        Assert.Equal(7, _limits.Current.EachKey.Burst);
        Assert.Equal(2, Errors().Count);
        Assert.Contains(Errors(), error => error.Contains("'prices.version'", StringComparison.Ordinal));
        Assert.Contains(Errors(), error => error.Contains("'gateway.allowUnpriced'", StringComparison.Ordinal));

        Write("""{"limits": {"burst": 9}}""");
        _time.Advance(Second);
        Assert.Equal(9, _limits.Current.EachKey.Burst);
    }

    [Fact]
    public void A_file_caught_half_written_is_read_whole_at_the_next_poll()
    {
        Start("""{"limits": {"burst": 7}}""");
        const string Whole = """{"limits": {"burst": 8, "requestsPerSecond": 3}}""";
        for (var length = 1; length < Whole.Length; length++)
        {
            Write(Whole[..length]);
            _time.Advance(Second);
            Assert.Equal(7, _limits.Current.EachKey.Burst);
        }

        Write(Whole);
        _time.Advance(Second);

        Assert.Equal(new Allowance { RequestsPerSecond = 3, Burst = 8 }, _limits.Current.EachKey);
    }

    [Fact]
    public void A_file_caught_empty_between_two_writes_is_not_taken_for_an_empty_one()
    {
        Start("""{"limits": {"burst": 7}}""");
        Write("");
        _time.Advance(Second);
        Assert.Equal(7, _limits.Current.EachKey.Burst);

        Write("""{"limits": {"burst": 8}}""");
        _time.Advance(Second);
        Assert.Equal(8, _limits.Current.EachKey.Burst);

        File.Delete(FilePath);
        _time.Advance(Second);
        Assert.Equal(8, _limits.Current.EachKey.Burst);
    }

    [Fact]
    public void A_file_that_stays_away_is_an_empty_one()
    {
        Start("""{"limits": {"burst": 7}}""");
        File.Delete(FilePath);

        _time.Advance(2 * Second);

        Assert.Equal(200, _limits.Current.EachKey.Burst);
    }

    [Fact]
    public void Nothing_is_read_again_while_nothing_changes()
    {
        Start("""{"limits": {"burst": 7}}""");

        _time.Advance(100 * Second);

        Assert.Empty(_log.Lines);
    }

    [Fact]
    public void A_key_may_stand_in_the_environment()
    {
        const string Name = "PENSTOCK_TEST_CONFIG_FILE_KEY";
        Environment.SetEnvironmentVariable(Name, "sk-from-environment");
        try
        {
            Start("""{"providers": {"groq": {"kind": "openai", "baseUrl": "https://api.example.test/v1", "apiKey": "env:NAME"}}}""".Replace("NAME", Name, StringComparison.Ordinal));

            var settings = ((ScriptedProvider)_routing.Current.Providers["groq"]).Settings;
            Assert.Equal("sk-from-environment", settings.ApiKey);
            Assert.Equal(new Uri("https://api.example.test/v1"), settings.BaseUrl);
        }
        finally
        {
            Environment.SetEnvironmentVariable(Name, null);
        }
    }

    [Theory]
    [InlineData("\"env:PENSTOCK_TEST_NOT_SET\"", "PENSTOCK_TEST_NOT_SET, which is not set")]
    [InlineData("\"env:\"", "not set")]
    [InlineData("\"env:A=B\\u0000\"", "not set")]
    [InlineData("\"\"", "must not be empty")]
    [InlineData("\"sk-top secret\"", "no HTTP header may hold")]
    [InlineData("17", "must be a string")]
    public void A_key_that_cannot_be_used_is_refused_by_name_and_not_repeated(string value, string why)
    {
        Write("""{"providers": {"groq": {"kind": "openai", "apiKey": VALUE}}}""".Replace("VALUE", value, StringComparison.Ordinal));

        var error = Assert.Single(Assert.Throws<ConfigException>(_file.Load).Errors);

        Assert.Contains("'providers.groq.apiKey'", error, StringComparison.Ordinal);
        Assert.Contains(why, error, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-top", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_is_read_or_refused_and_never_breaks_the_poll()
    {
        Start("{}");
        var seeded = new SeededSource(11);
        var sound = """{"limits": {"burst": 7}, "providers": {"groq": {"kind": "openai", "baseUrl": "http://x.test", "apiKey": "env:PATH"}}, "prices": {"version": "v", "models": {"a/b": {"input": 1, "output": 2}}}, "tiers": {"fast": {"targets": ["local/local"]}}, "models": {"m": {"target": "local/x"}}, "gateway": {"pingSeconds": 2}}""";
        for (var round = 0; round < 3_000; round++)
        {
            var bytes = Encoding.UTF8.GetBytes(sound);
            for (var i = seeded.Below(4); i >= 0; i--) bytes[seeded.Below(bytes.Length)] = seeded.OneIn(3) ? (byte)seeded.NextBits() : seeded.Pick("{}[]\",:0-9e.ntf\\/"u8.ToArray());
            File.WriteAllBytes(FilePath, bytes);
            _time.Advance(Second);
        }

        Write("""{"limits": {"burst": 9}}""");
        _time.Advance(Second);
        Assert.Equal(9, _limits.Current.EachKey.Burst);
    }

    private void Start(string text)
    {
        Write(text);
        _file.Load();
        _file.Watch();
    }

    private void Write(string text) => File.WriteAllText(FilePath, text);

    private List<string> Errors() => [.. _log.Lines.Where(line => line.Level == LogLevel.Error).Select(line => line.Text)];
}
