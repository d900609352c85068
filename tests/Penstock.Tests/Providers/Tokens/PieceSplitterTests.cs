using Penstock.Providers.Tokens;
using Xunit;

namespace Penstock.Tests.Providers.Tokens;

/// <summary>Pieces as OpenAI's two patterns cut them; <c>|</c> stands between pieces.</summary>
public sealed class PieceSplitterTests
{
    [Theory]
    [InlineData("漢ABC d", "漢|ABC| d", "漢ABC| d")]
    [InlineData("ABC漢DEF'sX", "ABC漢|DEF's|X", "ABC漢DEF|'s|X")]
    [InlineData("\u0301ABC", "\u0301|ABC", "\u0301ABC")]
    [InlineData("it's IT'LL we'RE'd", "it's| IT'LL| we'RE|'d", "it|'s| IT|'LL| we|'RE|'d")]
    [InlineData("x1234５6", "x|123|4５6", "x|123|4５6")]
    [InlineData(" /a//\n/b", " /|a|//\n/|b", " /|a|//\n|/b")]
    [InlineData("a \n  b", "a| \n| | b", "a| \n| | b")]
    [InlineData("a\n  ", "a|\n|  ", "a|\n  ")]
    [InlineData("HTTPServer𝒜𠀀", "HTTPServer|𝒜𠀀", "HTTPServer𝒜𠀀")]
    public void Text_is_cut_as_the_patterns_cut_it(string text, string o200k, string cl100k)
    {
        Assert.Equal(o200k, Cut(text, SplitRules.O200k));
        Assert.Equal(cl100k, Cut(text, SplitRules.Cl100k));
    }

    private static string Cut(string text, SplitRules rules)
    {
        var pieces = new List<string>();
        for (int at = 0, end; at < text.Length; at = end)
        {
            end = new PieceSplitter(text, rules).End(at);
            pieces.Add(text[at..end]);
        }

        return string.Join('|', pieces);
    }
}
