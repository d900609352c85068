using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.Agents.Definitions;
using Penstock.Contracts;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class YamlTextTests
{
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Theory]
    [InlineData("no", "\"no\"")]
    [InlineData("yes", "\"yes\"")]
    [InlineData("on", "\"on\"")]
    [InlineData("true", "true")]
    [InlineData("False", "false")]
    [InlineData("~", "null")]
    [InlineData("", "null")]
    [InlineData("\"\"", "\"\"")]
    [InlineData("'true'", "\"true\"")]
    [InlineData("12", "12")]
    [InlineData("+012", "12")]
    [InlineData("-0", "-0")]
    [InlineData("0o17", "15")]
    [InlineData("0xfF", "255")]
    [InlineData("017", "17")]
    [InlineData("1_000", "\"1_000\"")]
    [InlineData(".5", "0.5")]
    [InlineData("5.", "5")]
    [InlineData("0.50", "0.50")]
    [InlineData("1e3", "1e3")]
    [InlineData("1.4.0", "\"1.4.0\"")]
    [InlineData("12:30:45", "\"12:30:45\"")]
    [InlineData("2026-11-25", "\"2026-11-25\"")]
    [InlineData("20m", "\"20m\"")]
    [InlineData("0x", "\"0x\"")]
    [InlineData("\"\\u00e9\\U0001F600\"", "\"é😀\"")]
    [InlineData("[a, {b: c}]", "[\"a\",{\"b\":\"c\"}]")]
    public void Scalars_have_the_types_of_the_core_schema(string yaml, string json) => Assert.Equal(JsonNode.Parse("{\"a\":" + json + "}")!.ToJsonString(Relaxed), Json($"a: {yaml}"));

    [Theory]
    [InlineData("a: &x 1\nb: *x", 1, "anchors")]
    [InlineData("a: 1\nb: *x", 2, "aliases")]
    [InlineData("a: !!str 1", 1, "tags")]
    [InlineData("a: !python/object:os.system 1", 1, "tags")]
    [InlineData("a:\n  &k b: 1", 2, "anchors")]
    [InlineData("? [a]\n: 1", 1, "must be a text")]
    [InlineData("a: 1\nb: 2\na: 3", 3, "'a' is given twice")]
    [InlineData("a: {b: 1, c: {d: 1, d: 2}}", 1, "'a.c.d' is given twice")]
    [InlineData("a: .nan", 1, "JSON does not have")]
    [InlineData("a: -.inf", 1, "JSON does not have")]
    [InlineData("a: 0xffffffffffffffffff", 1, "too large")]
    [InlineData("a: 1\n---\nb: 2", 2, "one document")]
    [InlineData("", 1, "empty")]
    [InlineData("# nothing", 1, "empty")]
    [InlineData("- a", 1, "named members")]
    [InlineData("text", 1, "named members")]
    [InlineData("a: [1", 2, "not valid YAML")]
    [InlineData("a: b: c", 1, "not valid YAML")]
    [InlineData("a: \"\\q\"", 1, "not valid YAML")]
    [InlineData("a:\n\tb: 1", 1, "not valid YAML")]
    [InlineData("a: \"\\ud800\"", 1, "not valid YAML")]
    public void What_could_be_read_in_two_ways_is_refused_with_its_line(string yaml, int line, string problem)
    {
        var errors = Errors(yaml);
        Assert.Contains(errors, error => error.Line == line && error.Message.Contains(problem, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{a: ", "}")]
    [InlineData("[[[[{a: ", "")]
    [InlineData("- ", "")]
    [InlineData("? ", "")]
    [InlineData("\"a\": ", "")]
    [InlineData("a\n", "")]
    [InlineData("'x", "")]
    [InlineData("&a [", "")]
    [InlineData("%", "")]
    [InlineData("---\n", "")]
    [InlineData("- - ! ", "")]
    public void A_hostile_file_is_refused_within_a_moment(string open, string close)
    {
        var count = AgentFile.LargestBytes / (open.Length + close.Length);
        var yaml = "a: " + string.Concat(Enumerable.Repeat(open, count)) + string.Concat(Enumerable.Repeat(close, count));
        var clock = Stopwatch.StartNew();
        Assert.NotEmpty(Errors(yaml));
        // What is quadratic takes minutes.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 10);
    }

    [Fact]
    public void Depth_and_size_are_bounded_and_what_stays_within_is_read()
    {
        Assert.Empty(Errors("a: " + new string('[', 58) + new string(']', 58)));
        Assert.Contains("nested more than 60", Assert.Single(Errors("a: " + new string('[', 61) + new string(']', 61))).Message, StringComparison.Ordinal);
        Assert.Empty(Errors("a: [" + string.Join(',', Enumerable.Repeat("x", 40_000)) + "]"));
        Assert.Contains("more than 50000 values", Assert.Single(Errors("a: [" + string.Join(',', Enumerable.Repeat("x", 60_000)) + "]")).Message, StringComparison.Ordinal);
        Assert.Contains("more than 100 digits", Assert.Single(Errors("a: " + new string('1', 101))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(20_261_125)]
    public void Whatever_bytes_a_file_has_it_is_read_or_refused(int seed)
    {
        var chance = new SeededSource((ulong)seed);
        var pieces = new[] { "a: ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "&x", "*x", "!!int ", "|", ">-", "\"", "'", "#", "%YAML 1.2", "---", "...", "? ", ": ", "\\u12", "\t", "😀", "\0", "0o8", "1e999", "~", "<<: ", "\uFEFF", "@", "`" };
        for (var i = 0; i < 20_000; i++)
        {
            var yaml = string.Concat(Enumerable.Range(0, 1 + chance.Below(23)).Select(_ => pieces[chance.Below(pieces.Length)]));
            var errors = new List<(int, string)>();
            var read = YamlText.Read(yaml, (line, message) => errors.Add((line, message)));
            Assert.True(read is not null || errors.Count > 0, $"seed {seed}, round {i}: {yaml}");
        }
    }

    private static string Json(string yaml)
    {
        var errors = new List<(int, string)>();
        var read = YamlText.Read(yaml, (line, message) => errors.Add((line, message)));
        Assert.Empty(errors);
        return read!.Value.Root.ToJsonString(Relaxed);
    }

    private static List<(int Line, string Message)> Errors(string yaml)
    {
        var errors = new List<(int, string)>();
        YamlText.Read(yaml, (line, message) => errors.Add((line, message)));
        return errors;
    }
}
