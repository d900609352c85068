using System.Diagnostics;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Penstock.Guards;
using Xunit;

namespace Penstock.Tests.Guards;

/// <summary>A text in pieces comes out as the whole text does.</summary>
public sealed class GuardStreamTests
{
    private static readonly string[] Bits =
    [
        "4111 1111 1111 1111", "4111111111111111", "4111", "1111", "378282246310005", "1", "5", "0", "00", "+", "+1", "(415)", "415", "555", "2671", "020", "7946", "0958", "078", "05", "1120",
        "bob", "@", "example", "com", "co", "uk", ".", "..", "-", "_", "%", "'", " ", "  ", "\n", "\t", "\u00a0", "\u200b", "\u0301", "\ufeff", "４", "＠", "٣", "🦀", "\ud83d", "\udd80", "é",
        "project", "falcon", "Project Falcon", "café au", "lait", "机密", "bad", "a", "b", "c", "d", "e", "x", "/", ",", ")", "(", "\"", "\\", "xn--a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];

    private static readonly Gen<string> Texts =
        from bits in Gen.OneOf(Gen.Elements(Bits), Gen.Elements(Bits), Gen.Choose(32, 0x3100).Select(code => ((char)code).ToString())).ListOf()
        select string.Concat(bits);

    private static readonly Gen<(string Text, int[] Cuts)> Cut =
        from text in Texts
        from cuts in Gen.OneOf(Gen.Choose(0, 12), Gen.Choose(1, 1), Gen.Choose(1, 3)).ArrayOf(Math.Max(1, text.Length))
        select (text, cuts);

    [Fact]
    public void However_a_text_is_cut_the_same_comes_out()
    {
        var rules = Guarded.Rules();
        Prop.ForAll(Cut.ToArbitrary(), sample =>
        {
            var whole = Guarded.Whole(sample.Text);
            Assert.Equal(whole, Guarded.Pieces(rules, sample.Text, sample.Cuts));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(20_000).WithEndSize(40));
    }

    [Fact]
    public void What_is_let_out_holds_no_match_any_more()
    {
        Prop.ForAll(Texts.ToArbitrary(), text =>
        {
            // Masking may join what a match kept apart, but never makes a number or an address of it.
            var once = Guarded.Whole(text);
            Assert.Equal(once, Guarded.Whole(once));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5_000).WithEndSize(40));
    }

    [Theory]
    [InlineData("4111 1111 1111 1111")]
    [InlineData("bob@example.com")]
    [InlineData("+44 20 7946 0958")]
    [InlineData("078-05-1120")]
    [InlineData("Project Falcon")]
    [InlineData("٤١١١ 1111 1111 🦀 4111\u200b111111111111")]
    public void Every_cut_in_two_and_every_single_character(string secret)
    {
        var text = $"before {secret}, and after";
        var whole = Guarded.Whole(text);
        Assert.NotEqual(text, whole);
        for (var at = 0; at <= text.Length; at++) Assert.Equal(whole, Guarded.Pieces(Guarded.Rules(), text, [at]));
        Assert.Equal(whole, Guarded.Pieces(Guarded.Rules(), text, Enumerable.Repeat(1, text.Length)));
    }

    [Theory]
    [InlineData("Hello there. ", "Hello there. ")]
    [InlineData("Hello there", "Hello ")]
    [InlineData("In 2024 ", "In 2024 ")]
    [InlineData("It costs 1,250 euro", "It costs 1,250 ")]
    [InlineData("Mail bob@exam", "Mail ")]
    [InlineData("Pay 4111 1111 ", "Pay ")]
    [InlineData("About project ", "About ")]
    [InlineData("About projects ", "About projects ")]
    [InlineData("机器", "机器")]
    public void Only_what_could_still_become_a_match_waits(string piece, string out_) =>
        Assert.Equal(out_, new GuardScan(Guarded.Rules(), new GuardTally(_ => { })).Piece(piece));

    [Fact]
    public void Never_is_more_held_than_a_match_could_need()
    {
        var scan = new GuardScan(Guarded.Rules(), new GuardTally(_ => { }));
        var (given, taken, most) = (0, 0, 0);
        foreach (var piece in Enumerable.Repeat("abcdefg", 10_000).Concat(Enumerable.Repeat("4 ", 1_000)).Concat(Enumerable.Repeat("41", 1_000)).Concat(Enumerable.Repeat("a b c d ", 1_000)))
        {
            given += piece.Length;
            taken += scan.Piece(piece).Length;
            most = Math.Max(most, given - taken);
        }

        Assert.InRange(most, 1, 72);
    }

    [Theory]
    [InlineData("4111111111111112 ")]
    [InlineData("4111 1111 1111 1112 ")]
    [InlineData("aaaaaaaaaa")]
    [InlineData("a@b")]
    [InlineData("a@b.c.d.e.f.1.")]
    [InlineData("a b c d ")]
    [InlineData("+1 415 555 267x")]
    [InlineData("0123 ")]
    [InlineData("\u0301")]
    [InlineData("🦀")]
    public void Two_megabytes_of_almost_matches_take_a_time_in_proportion(string almost)
    {
        var (small, large) = (Repeat(almost, 250_000), Repeat(almost, 2_000_000));
        Measure(small);
        var one = Measure(small);
        var eight = Measure(large);

        // Eight times the text: far below the square of that, whatever else the machine does.
        Assert.True(eight < TimeSpan.FromMilliseconds(500) || eight < one * 24, $"{one.TotalMilliseconds} ms, then {eight.TotalMilliseconds} ms");
    }

    [Fact]
    public void Arguments_stay_json_and_come_out_the_same_however_they_are_cut()
    {
        var rules = Guarded.Rules();
        var samples =
            from text in Texts
            from escaped in Gen.Elements(true, false)
            let value = JsonSerializer.Serialize(new Dictionary<string, object> { ["bob@example.com"] = text, ["n"] = new object[] { 4111111111111111, 12.5, true, text } }, escaped ? null : Relaxed)
            from cuts in Gen.Choose(0, 9).ArrayOf(value.Length)
            select (text, value, cuts);
        Prop.ForAll(samples.ToArbitrary(), sample =>
        {
            var whole = Arguments(rules, [sample.value]);
            using var parsed = JsonDocument.Parse(whole);
            Assert.Equal(whole, Arguments(rules, Guarded.Cut(sample.value, sample.cuts)));
            var expected = new StringBuilder(Guarded.Whole(JsonSerializer.Deserialize<string>(JsonSerializer.Serialize(sample.text))!)).ToString();
            Assert.Equal(expected, parsed.RootElement.GetProperty("bob@example.com").GetString());
            Assert.Equal("[CARD]", parsed.RootElement.GetProperty("n")[0].GetString());
            Assert.Equal(12.5, parsed.RootElement.GetProperty("n")[1].GetDouble());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5_000).WithEndSize(25));
    }

    [Theory]
    [InlineData("""{"to": "bob\u0040example.com", "n": "4111\u00201111 1111 1111"}""", """{"to": "[EMAIL]", "n": "[CARD]"}""")]
    [InlineData("""{"a":"\ud83e\udd80 \n\"x\" \\ bob@b.org"}""", """{"a":"\ud83e\udd80 \n\"x\" \\ [EMAIL]"}""")]
    [InlineData("""{"card":4111111111111111,"m":[4111111111111111 , 7]}""", """{"card":"[CARD]","m":["[CARD]" , 7]}""")]
    [InlineData("""{"bad": {"bad": "bad"}}""", """{"bad": {"bad": "[REDACTED]"}}""")]
    [InlineData("""not JSON: bob@b.org""", """not JSON: [EMAIL]""")]
    [InlineData("""{"cut": "short bob@b.or""", """{"cut": "short [EMAIL]""")]
    [InlineData("""{"cut": "esc \u00""", """{"cut": "esc \u00""")]
    [InlineData("{}", "{}")]
    public void Arguments_are_masked_in_their_values(string arguments, string shown)
    {
        Assert.Equal(shown, Arguments(Guarded.Rules(), [arguments]));
        Assert.Equal(shown, Arguments(Guarded.Rules(), arguments.Select(c => c.ToString())));
    }

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string Arguments(GuardRules rules, IEnumerable<string> pieces)
    {
        var scan = new ArgumentsScan(rules, new GuardTally(_ => { }));
        var output = new StringBuilder();
        foreach (var piece in pieces) output.Append(scan.Piece(piece));
        return output.Append(scan.End()).ToString();
    }

    private static TimeSpan Measure(string text)
    {
        var watch = Stopwatch.StartNew();
        Guarded.Whole(text);
        return watch.Elapsed;
    }

    private static string Repeat(string text, int length) => new StringBuilder(length + text.Length).Insert(0, text, (length / text.Length) + 1).ToString();
}
