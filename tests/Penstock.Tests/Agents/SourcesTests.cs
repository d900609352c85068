using Penstock.Agents;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class SourcesTests
{
    [Fact]
    public void A_piece_may_be_cited_as_search_names_it_and_a_page_by_its_address()
    {
        var sources = new Sources();
        sources.Add(Call("search", """{"text":"x","results":[{"docId":"ship","chunkId":"ship#0","title":null,"uri":"https://a.test/s","snippet":"x","score":1}]}"""));
        sources.Add(Call("http_fetch", """{"text":"x","url":"https://b.test/"}"""));
        foreach (var known in new[] { "ship#0", "ship", "https://a.test/s", "https://b.test/" }) Assert.True(sources.Knows(known), known);
        foreach (var unknown in new[] { "ship#1", "x", "https://c.test/" }) Assert.False(sources.Knows(unknown), unknown);
    }

    private static ToolTurn Call(string name, string output)
    {
        var call = new ToolTurn("call_1", name, "{}");
        call.End(output, failed: false);
        return call;
    }
}
