using System.Text;
using System.Text.Json;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Kernel;

public sealed class JsonSpliceTests
{
    [Theory]
    // Replaced where it stands, whatever stands around it.
    [InlineData("{\"model\":\"a\",\"x\":1}", "model", "\"b\"", "{\"model\":\"b\",\"x\":1}")]
    [InlineData("{\"x\":1,\"model\":{\"y\":[1,2]}}", "model", "\"b\"", "{\"x\":1,\"model\":\"b\"}")]
    [InlineData("{\"x\":1, \"model\" : null , \"z\":2}", "model", "\"b\"", "{\"x\":1,\"model\" : \"b\",\"z\":2}")]
    // Added at the end.
    [InlineData("{}", "model", "\"b\"", "{\"model\":\"b\"}")]
    [InlineData(" { \"x\" : 1 } ", "model", "\"b\"", "{\"x\" : 1,\"model\":\"b\"}")]
    // Only the top level is looked at.
    [InlineData("{\"x\":{\"model\":\"a\"}}", "model", "\"b\"", "{\"x\":{\"model\":\"a\"},\"model\":\"b\"}")]
    [InlineData("{\"x\":\"model\"}", "model", "\"b\"", "{\"x\":\"model\",\"model\":\"b\"}")]
    // The same name, spelled with escapes.
    [InlineData("{\"mod\\u0065l\":\"a\"}", "model", "\"b\"", "{\"mod\\u0065l\":\"b\"}")]
    [InlineData("{\"\\u006d\\u006f\\u0064\\u0065\\u006c\":1,\"n\":2}", "model", "\"b\"", "{\"\\u006d\\u006f\\u0064\\u0065\\u006c\":\"b\",\"n\":2}")]
    // Removed, with its comma.
    [InlineData("{\"a\":1,\"model\":2,\"c\":3}", "model", null, "{\"a\":1,\"c\":3}")]
    [InlineData("{\"model\":2,\"c\":3}", "model", null, "{\"c\":3}")]
    [InlineData("{\"a\":1,\"model\":2}", "model", null, "{\"a\":1}")]
    [InlineData("{\"model\":2}", "model", null, "{}")]
    [InlineData("{\"a\":1}", "model", null, "{\"a\":1}")]
    // Everything else is left as it stood, byte for byte.
    [InlineData("{\"a\":1.0e+2,\"b\":\"\\u00e9\\/é\",\"model\":0,\"c\":[ ],\"d\":-0}", "model", "1", "{\"a\":1.0e+2,\"b\":\"\\u00e9\\/é\",\"model\":1,\"c\":[ ],\"d\":-0}")]
    public void One_member_changes_and_the_rest_stays(string body, string name, string? value, string expected) =>
        Assert.Equal(expected, Apply(body, new KeyValuePair<string, string?>(name, value)));

    [Fact]
    public void Several_edits_go_in_at_once() => Assert.Equal(
        "{\"a\":9,\"c\":3,\"d\":4,\"e\":5}",
        Apply("{\"a\":1,\"b\":2,\"c\":3}", new("a", "9"), new("b", null), new("d", "4"), new("e", "5")));

    [Fact]
    public void A_name_is_written_escaped() => Assert.Equal("{\"a\\u0022b\":1}", Apply("{}", new KeyValuePair<string, string?>("a\"b", "1")));

    [Fact]
    public void Text_beyond_ASCII_is_written_as_UTF8() => Assert.Equal("{\"a\":\"ü😀\"}", Apply("{\"a\":1}", new KeyValuePair<string, string?>("a", "\"ü😀\"")));

    [Fact]
    public void Half_a_surrogate_pair_in_a_value_stays_as_it_stood() =>
        Assert.Equal("{\"a\":\"\\udc00\",\"model\":1}", Apply("{\"a\":\"\\udc00\",\"model\":0}", new KeyValuePair<string, string?>("model", "1")));

    [Fact]
    public void Nesting_up_to_what_a_request_may_have_is_kept()
    {
        var deep = $"{new string('[', 63)}{new string(']', 63)}";

        Assert.Equal($"{{\"a\":{deep},\"model\":1}}", Apply($"{{\"a\":{deep}}}", new KeyValuePair<string, string?>("model", "1")));
    }

    [Fact]
    public void Whatever_the_body_the_outcome_parses_and_differs_in_the_edited_member_only()
    {
        string[] values = ["1", "\"x\"", "null", "{\"model\":[{}]}", "[1,[2,[3]]]", "\"\\\"\"", "\"}\"", "true", "\" , \\\\\""];
        string[] spaces = ["", " ", "\n\t "];
        foreach (var value in values)
            foreach (var other in values)
                foreach (var space in spaces)
                {
                    var body = $"{{{space}\"p\"{space}:{space}{value}{space},{space}\"model\"{space}:{space}{other}{space},{space}\"q\"{space}:{value}{space}}}";

                    using var outcome = JsonDocument.Parse(Apply(body, new KeyValuePair<string, string?>("model", "\"new\"")));

                    Assert.Equal(["p", "model", "q"], outcome.RootElement.EnumerateObject().Select(member => member.Name));
                    Assert.Equal(value, outcome.RootElement.GetProperty("p").GetRawText());
                    Assert.Equal("new", outcome.RootElement.GetProperty("model").GetString());
                    Assert.Equal(value, outcome.RootElement.GetProperty("q").GetRawText());
                }
    }

    private static string Apply(string body, params KeyValuePair<string, string?>[] edits) => Encoding.UTF8.GetString(JsonSplice.Apply(Encoding.UTF8.GetBytes(body), edits));
}
