using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Providers.Local;
using Xunit;

namespace Penstock.Tests.Providers.Local;

public sealed class SchemaFillTests
{
    private const string Ticket = """
        Hello, my name is Ann Lee and my order number A-7731 was charged twice: $1,234.50 on 3 March 2026. Please refund my card.
        Email: ann.lee@example.com
        Quantity: 3
        Urgent: yes
        Tags: billing, refund
        """;

    [Fact]
    public async Task Members_are_filled_from_what_the_text_has_for_them() => Assert.Equal(
        """
        {"customer_name":"Ann Lee","email":"ann.lee@example.com","orderNumber":"A-7731","amount":1234.50,"date":"2026-03-03","quantity":3,"urgent":true,
        "tags":["billing","refund"],"category":"billing","phone":null,"address":"","floor":0,"returned":false,"notes":[]}
        """.ReplaceLineEndings(""),
        await Asking.Ask(Ticket, "You read tickets.", """
            {"type":"object","additionalProperties":false,
             "required":["customer_name","email","orderNumber","amount","date","quantity","urgent","tags","category","phone","address","floor","returned","notes"],
             "properties":{"customer_name":{"type":"string"},"email":{"type":"string","format":"email"},"orderNumber":{"type":"string"},"amount":{"type":"number"},
              "date":{"type":"string","format":"date"},"quantity":{"type":"integer"},"urgent":{"type":"boolean"},"tags":{"type":"array","items":{"type":"string"}},
              "category":{"enum":["shipping","billing","technical"]},"phone":{"type":["string","null"]},"address":{"type":"string"},"floor":{"type":"integer"},
              "returned":{"type":"boolean"},"notes":{"type":"array","items":{"type":"object","properties":{"colour":{"type":"string"}}}}}}
            """));

    [Theory]
    [InlineData("""{"const":{"a":[1,null]}}""", """{"a":[1,null]}""")]
    [InlineData("""{"type":"integer","minimum":5}""", "5")]
    [InlineData("""{"type":"integer","exclusiveMaximum":0,"multipleOf":7}""", "-7")]
    [InlineData("""{"type":"number","exclusiveMinimum":0,"maximum":1}""", "1")]
    [InlineData("""{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}""", "0.5")]
    [InlineData("""{"type":"string","minLength":9,"maxLength":9}""", "\"unknown..\"")]
    [InlineData("""{"type":"string","format":"date"}""", "\"0001-01-01\"")]
    [InlineData("""{"type":"string","format":"email"}""", "\"nobody@example.invalid\"")]
    [InlineData("""{"type":"array","items":{"type":"boolean"},"minItems":2}""", "[false,false]")]
    [InlineData("""{"type":["null","integer"]}""", "null")]
    [InlineData("""{"anyOf":[{"type":"integer"},{"type":"null"}]}""", "null")]
    [InlineData("""{"allOf":[{"type":"object","required":["a"]},{"properties":{"a":{"type":"integer","minimum":2}}}]}""", """{"a":2}""")]
    [InlineData("""{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"},"v":{"type":"integer"}},"required":["v"]}}}""", """{"v":0}""")]
    [InlineData("""{"type":"object","properties":{"n":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["n"]}""", """{"n":null}""")]
    [InlineData("""{"type":"object","required":["x"]}""", """{"x":""}""")]
    [InlineData("""{"enum":[4,5]}""", "4")]
    [InlineData("""{"enum":["red","blue"]}""", "\"red\"")]
    [InlineData("{}", "\"\"")]
    public async Task Where_the_text_has_nothing_values_are_neutral_and_valid(string schema, string answer) => Assert.Equal(answer, await Asking.Ask("…", schema: schema));

    [Theory]
    [InlineData("""{"type":"array","items":{"const":"k"},"minItems":1}""", "[\"k\"]")]
    [InlineData("""{"type":"array","items":{"type":"string","format":"uuid"},"minItems":1}""", "[\"00000000-0000-0000-0000-000000000000\"]")]
    public async Task Phrases_of_the_text_do_not_stand_where_they_are_not_valid(string schema, string answer) => Assert.Equal(answer, await Asking.Ask(Ticket, schema: schema));

    [Theory]
    [InlineData("""{"type":"object","properties":{"n":{"$ref":"#"}},"required":["n"]}""")]
    [InlineData("""{"type":"integer","minimum":2,"maximum":1}""")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":1}""")]
    [InlineData("""{"type":"string","minLength":1000000000}""")]
    [InlineData("""{"$ref":"https://example.com/schema.json"}""")]
    [InlineData("""{"$ref":"#/nowhere"}""")]
    [InlineData("""{"oneOf":[{"type":"string"},{"type":"string"}]}""")]
    [InlineData("""{"type":"array","items":{"const":1},"uniqueItems":true,"minItems":2}""")]
    [InlineData("""{"type":"array","items":{"type":"integer"},"minItems":1000000000}""")]
    [InlineData("""{"type":"number","minimum":1e300}""")]
    [InlineData("""{"type":"fancy"}""")]
    [InlineData("""{"type":"object","additionalProperties":false,"required":["x"]}""")]
    public async Task A_schema_nothing_can_satisfy_is_refused(string schema) =>
        Assert.Equal(ProviderFault.Rejected, (await Assert.ThrowsAsync<ProviderException>(() => Asking.Ask("hello", schema: schema))).Fault);

    [Fact]
    public async Task References_that_multiply_are_bounded()
    {
        // Thirty doublings: a billion values from a small schema; likewise for alternatives and layers.
        foreach (var form in new[] { """{"type":"object","required":["l","r"],"properties":{"l":NEXT,"r":NEXT}}""", """{"anyOf":[NEXT,NEXT]}""", """{"allOf":[NEXT,NEXT]}""", """{"oneOf":[NEXT,NEXT]}""" })
        {
            var defs = Enumerable.Range(0, 30).Select(i => $"\"d{i}\":" + form.Replace("NEXT", "{\"$ref\":\"#/$defs/d" + (i + 1) + "\"}", StringComparison.Ordinal));
            var schema = "{\"$ref\":\"#/$defs/d0\",\"$defs\":{" + string.Join(',', defs) + ",\"d30\":{\"type\":\"integer\"}}}";
            var asked = Asking.Ask("hello", schema: schema);
            Assert.IsType<ProviderException>(await Record.ExceptionAsync(() => asked));
        }
    }

    [Fact]
    public async Task Suggestions_are_key_phrases()
    {
        var answer = await Asking.Ask(
            "Our turbine control software crashes when the penstock gate closes. The turbine control logs show pressure spikes.",
            "Suggest topics to look into.",
            """{"type":"object","properties":{"suggestions":{"type":"array","items":{"type":"string"},"minItems":2,"maxItems":3}},"required":["suggestions"]}""");
        using var parsed = JsonDocument.Parse(answer);
        var suggestions = parsed.RootElement.GetProperty("suggestions").EnumerateArray().Select(item => item.GetString()!).ToList();
        Assert.InRange(suggestions.Count, 2, 3);
        Assert.Contains(suggestions, suggestion => suggestion.Contains("turbine control", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_confidence_is_how_near_the_label_was()
    {
        var answer = await Asking.Ask("I was charged twice, refund my card", null, """{"type":"object","properties":{"label":{"enum":["billing","technical"]},"confidence":{"type":"number","minimum":0,"maximum":1}},"required":["label","confidence"]}""");
        using var parsed = JsonDocument.Parse(answer);
        Assert.Equal("billing", parsed.RootElement.GetProperty("label").GetString());
        Assert.InRange(parsed.RootElement.GetProperty("confidence").GetDouble(), 0.1, 1);
    }

    [Fact]
    public async Task Random_schemas_are_satisfied_or_refused_and_never_break()
    {
        var made = 0;
        for (var seed = 1u; seed <= 1_500; seed++)
        {
            var state = seed * 2_654_435_761;
            var schema = Random(ref state, 0);
            try
            {
                using var value = JsonDocument.Parse(await Asking.Ask(Ticket, schema: schema));
                using var document = JsonDocument.Parse(schema);
                Assert.Null(new SchemaCheck(document.RootElement).Problem(value.RootElement));
                made++;
            }
            catch (ProviderException e)
            {
                Assert.Equal(ProviderFault.Rejected, e.Fault);
            }
        }

        Assert.InRange(made, 1_000, 1_500);
    }

    [Fact]
    public void The_check_itself_finds_what_is_wrong()
    {
        using var schema = JsonDocument.Parse("""{"type":"object","properties":{"a":{"type":"integer","minimum":2},"b":{"type":"string","format":"date"},"c":{"enum":["x"]}},"required":["a"],"additionalProperties":false}""");
        foreach (var (value, sound) in new[] { ("""{"a":2}""", true), ("{}", false), ("""{"a":1}""", false), ("""{"a":2.5}""", false), ("""{"a":2,"b":"3 March"}""", false), ("""{"a":2,"c":"y"}""", false), ("""{"a":2,"z":1}""", false), ("[]", false) })
        {
            using var parsed = JsonDocument.Parse(value);
            Assert.Equal(sound, new SchemaCheck(schema.RootElement).Problem(parsed.RootElement) is null);
        }
    }

    /// <summary>Mostly sound schemas, some with members of the wrong kind.</summary>
    internal static string Random(ref uint state, int depth)
    {
        var names = new[] { "email", "name", "date", "total", "tags", "category", "count", "summary", "is_urgent", "x" };
        switch (Next(ref state, depth > 3 ? 6 : 10))
        {
            case 0:
                return $$"""{"type":"string","minLength":{{Next(ref state, 4)}},"maxLength":{{3 + Next(ref state, 20)}}}""";
            case 1:
                return $$"""{"type":"{{(Next(ref state, 2) == 0 ? "integer" : "number")}}","minimum":{{Next(ref state, 20) - 10}},"maximum":{{10 + Next(ref state, 9)}}}""";
            case 2:
                return """{"type":["boolean","null"]}""";
            case 3:
                return $$"""{"enum":["billing","refund",{{Next(ref state, 9)}},null]}""";
            case 4:
                return $$"""{"type":"string","format":"{{new[] { "date", "email", "uri", "date-time", "regex" }[Next(ref state, 5)]}}"}""";
            case 5:
                return new[] { "true", "{}", "{\"type\":5}", "{\"properties\":[],\"required\":{}}", "{\"allOf\":3}", "{\"enum\":{}}", "{\"items\":\"x\",\"type\":\"array\",\"minItems\":1}", "{\"$ref\":7}" }[Next(ref state, 8)];
            case 6:
                return $$"""{"anyOf":[{{Random(ref state, depth + 1)}},{{Random(ref state, depth + 1)}}]}""";
            case 7:
                return $$"""{"type":"array","items":{{Random(ref state, depth + 1)}},"minItems":{{Next(ref state, 3)}},"maxItems":{{2 + Next(ref state, 4)}}}""";
            default:
                var members = new StringBuilder();
                var required = new List<string>();
                for (var i = Next(ref state, 5); i >= 0; i--)
                {
                    var name = names[Next(ref state, names.Length)] + i.ToString(CultureInfo.InvariantCulture);
                    members.Append(members.Length > 0 ? "," : "").Append(CultureInfo.InvariantCulture, $"\"{name}\":{Random(ref state, depth + 1)}");
                    if (Next(ref state, 2) == 0) required.Add($"\"{name}\"");
                }

                return "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{" + members + "},\"required\":[" + string.Join(',', required) + "]}";
        }
    }

    private static int Next(ref uint state, int below)
    {
        state = (state * 1_664_525) + 1_013_904_223;
        return (int)((state >> 16) % (uint)below);
    }
}
