using System.Diagnostics;
using System.Text;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Kernel;

public sealed class JsonViewTests
{
    [Theory]
    [InlineData("", "empty")]
    [InlineData(" ", "not valid JSON")]
    [InlineData("[]", "not an array")]
    [InlineData("\"text\"", "not a string")]
    [InlineData("null", "not null")]
    [InlineData("1", "not a number")]
    [InlineData("true", "not a boolean")]
    [InlineData("{", "not valid JSON")]
    [InlineData("{\"a\":1}}", "not valid JSON")]
    [InlineData("{\"a\":1,}", "not valid JSON")]
    [InlineData("{\"a\":1} // note", "not valid JSON")]
    [InlineData("{'a':1}", "not valid JSON")]
    [InlineData("{\"a\":NaN}", "not valid JSON")]
    [InlineData("\uFEFF{\"a\":1}", "not valid JSON")]
    public void A_body_that_is_no_object_is_refused_with_what_it_is(string body, string says) =>
        Assert.Contains(says, Refused(() => Parse(body)).Message);

    [Fact]
    public void Where_the_syntax_breaks_is_said_and_nothing_of_the_body_is_repeated()
    {
        var refusal = Refused(() => Parse("{\n  \"prompt\": secret }"));

        Assert.Contains("line 2, byte 13", refusal.Message);
        Assert.DoesNotContain("secret", refusal.Message);
    }

    [Theory]
    [InlineData("{\"model\":\"a\",\"model\":\"b\"}")]
    [InlineData("{\"model\":\"a\",\"mod\\u0065l\":\"b\"}")]
    [InlineData("{\"x\":[{\"deep\":1,\"deep\":2}]}")]
    public void A_name_given_twice_is_refused_however_it_is_spelled(string body) =>
        Assert.Contains("twice", Refused(() => Parse(body)).Message);

    [Theory]
    [InlineData(new byte[] { 0xFF, 0xFE })]
    [InlineData(new byte[] { 0xC0, 0xAF })]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })]
    [InlineData(new byte[] { 0xE2, 0x82 })]
    public void Bytes_that_are_no_text_are_refused(byte[] inside)
    {
        byte[] body = [.. "{\"a\":\""u8, .. inside, .. "\"}"u8];

        Assert.Contains("UTF-8", Refused(() => JsonView.Parse(body)).Message);
    }

    [Fact]
    public void Nesting_of_sixty_four_is_read_and_of_a_hundred_refused()
    {
        Parse($"{{\"a\":{new string('[', 63)}{new string(']', 63)}}}");

        Assert.Contains("not valid JSON", Refused(() => Parse($"{{\"a\":{new string('[', 100)}{new string(']', 100)}}}")).Message);
    }

    [Fact]
    public void A_million_levels_cost_no_stack_and_no_time()
    {
        var clock = Stopwatch.StartNew();

        Refused(() => Parse("{\"a\":" + new string('[', 1_000_000)));

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"took {clock.Elapsed}");
    }

    [Fact]
    public void Two_hundred_thousand_names_are_told_apart_in_linear_time()
    {
        var clock = Stopwatch.StartNew();

        var view = Parse("{" + string.Join(',', Enumerable.Range(0, 200_000).Select(i => $"\"{i:x}\":0")) + "}");

        Assert.Equal(200_000, view.Members().Count());
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"took {clock.Elapsed}");
    }

    [Theory]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("{\"a\":\"\\udc00\\ud800\"}")]
    public void Half_a_surrogate_pair_is_refused_by_the_field_that_holds_it(string body) =>
        Assert.Equal("a", Refused(() => Parse(body).Required("a").Text()).Field);

    [Theory]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"\\ud800\":1,\"a\":2}")]
    [InlineData("{\"a\":2,\"\\ud800\":1,\"\\ud800x\":3}")]
    public void A_name_with_half_a_surrogate_pair_is_refused(string body) =>
        Assert.Contains("surrogate", Refused(() =>
        {
            var view = Parse(body);
            view.Optional("a");
            view.Optional("model");
            foreach (var _ in view.Members()) continue;
        }).Message);

    [Fact]
    public void Null_counts_as_not_given()
    {
        var view = Parse("{\"a\":null}");

        Assert.Null(view.Optional("a"));
        Assert.Equal("'a' is required.", Refused(() => view.Required("a")).Message);
    }

    [Fact]
    public void A_path_leads_to_what_is_wrong()
    {
        var part = Parse("{\"messages\":[{},{\"content\":[1]}]}").Required("messages").Items().Last().Required("content").Items().Single();

        var refusal = Refused(() => part.Text());

        Assert.Equal("messages[1].content[0]", refusal.Field);
        Assert.Equal("'messages[1].content[0]' must be a string; it is a number.", refusal.Message);
        Assert.Equal(400, refusal.Status);
    }

    [Theory]
    [InlineData("1.5")]
    [InlineData("\"1\"")]
    [InlineData("true")]
    [InlineData("9223372036854775808")]
    [InlineData("1e40")]
    [InlineData("-1")]
    public void A_whole_number_is_nothing_else(string value) =>
        Assert.Contains("whole number from 0 to 10", Refused(() => Parse($"{{\"a\":{value}}}").Required("a").Whole(0, 10)).Message);

    [Theory]
    [InlineData("7")]
    [InlineData("7.0")]
    [InlineData("70e-1")]
    [InlineData("0.7e1")]
    public void A_whole_number_may_be_written_with_a_fraction_of_nothing(string value) =>
        Assert.Equal(7, Parse($"{{\"a\":{value}}}").Required("a").Whole(0, 10));

    [Fact]
    public void A_character_that_takes_a_surrogate_pair_counts_as_one()
    {
        Assert.Equal("🚰🚰", Parse("{\"a\":\"🚰🚰\"}").Required("a").ShortText(2));
        Assert.Equal("'a' must have at most 1 characters; it is a string.", Refused(() => Parse("{\"a\":\"🚰🚰\"}").Required("a").ShortText(1)).Message);
        Assert.Contains("must not be empty", Refused(() => Parse("{\"a\":\"\"}").Required("a").ShortText(1)).Message);
    }

    [Theory]
    [InlineData("2.1")]
    [InlineData("1e999")]
    [InlineData("-0.1")]
    [InlineData("\"1\"")]
    public void A_number_outside_its_range_is_refused(string value) =>
        Assert.Contains("number from 0 to 2", Refused(() => Parse($"{{\"a\":{value}}}").Required("a").Number(0, 2)).Message);

    [Fact]
    public void An_unknown_member_is_named_with_the_known_ones()
    {
        var refusal = Refused(() => Parse("{\"a\":1,\"b\":2}").AllowOnly("a", "c"));

        Assert.Equal("b", refusal.Field);
        Assert.Contains("a, c", refusal.Message);
    }

    [Fact]
    public void A_choice_outside_the_list_is_refused_with_the_list() =>
        Assert.Contains("one of x, y", Refused(() => Parse("{\"a\":\"z\"}").Required("a").OneOf("x", "y")).Message);

    [Fact]
    public void Raw_is_the_value_as_it_stood() =>
        Assert.Equal("{ \"z\":1.0, \"a\":\"\\u00e9\" }", Parse("{\"a\":{ \"z\":1.0, \"a\":\"\\u00e9\" }}").Required("a").Raw());

    private static JsonView Parse(string body) => JsonView.Parse(Encoding.UTF8.GetBytes(body));

    private static Refusal Refused(Action act) => Assert.Throws<RefusedException>(act).Refusal;
}
