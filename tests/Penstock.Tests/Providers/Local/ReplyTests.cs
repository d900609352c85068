using Penstock.Gateway;
using Xunit;

namespace Penstock.Tests.Providers.Local;

public sealed class ReplyTests
{
    private const string Article = """
        Penstock is a gate for calls to models. Every call goes through one gate that authenticates it and books every token. The office has green chairs.
        The gate reserves money before a call and settles the call once it is metered. Lunch is at noon. Tokens are metered by the gate for every call, streamed or not.
        """;

    [Theory]
    [InlineData("Summarise this in two sentences:\n")]
    [InlineData("Please give me a summary of the following text in 2 sentences: ")]
    public async Task A_summary_holds_the_central_sentences_in_order(string instruction)
    {
        var summary = await Asking.Ask(instruction + Article);
        Assert.DoesNotContain("ummar", summary, StringComparison.Ordinal);
        Assert.DoesNotContain("chairs", summary, StringComparison.Ordinal);
        Assert.DoesNotContain("Lunch", summary, StringComparison.Ordinal);
        Assert.Equal(2, summary.Split(". ").Length);
        Assert.All(summary.TrimEnd('.').Split(". "), sentence => Assert.Contains(sentence, Article.ReplaceLineEndings(" "), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_summary_does_not_say_the_same_twice()
    {
        var summary = await Asking.Ask(
            "Summarise in 2 sentences:\nThe gate meters every call to a model. The gate meters every single call to a model. The ledger keeps each booked token for years. The gate meters calls.");
        Assert.Contains("ledger", summary, StringComparison.Ordinal);
        Assert.Contains("gate", summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_system_prompt_can_ask_for_the_summary_and_its_bullets()
    {
        var summary = await Asking.Ask(Article, "You summarize what users send as three bullets.");
        Assert.Equal(3, summary.Split('\n').Count(line => line.StartsWith("- ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Something_to_summarise_that_is_not_there_is_not_made_up() =>
        Assert.Contains("does not write", await Asking.Ask("Summarize the history of Rome."), StringComparison.Ordinal);

    [Theory]
    [InlineData("Extract all e-mail addresses: write to ann@example.com, or bob.lee+x@mail.example.org.", "email: ann@example.com\nemail: bob.lee+x@mail.example.org")]
    [InlineData("Extract the dates.\nIt began on 3 March 2026, went on 2026-04-05 and 4/6/2026, and ended 7.8.2026; March 31st, 2027 is next.",
        "date: 2026-03-03\ndate: 2026-04-05\ndate: 2026-04-06\ndate: 2026-08-07\ndate: 2027-03-31")]
    [InlineData("Extract every amount: $1,234.50 for parts, 99 EUR for work and €7.", "amount: $1,234.50\namount: 99 EUR\namount: €7")]
    [InlineData("Extract phone numbers: call +49 221 123456 or (555) 123-4567 before 2026-11-30.", "phone: +49 221 123456\nphone: (555) 123-4567")]
    [InlineData("Find all links: see https://example.org/a?b=c#d, and http://x.test.", "url: https://example.org/a?b=c#d\nurl: http://x.test")]
    [InlineData("Extract the order number and the customer.\nOrder number: A-77\nCustomer: Ann Lee\nColour: red", "Order number: A-77\nCustomer: Ann Lee")]
    [InlineData("Extract the e-mails: there are none here", "Penstock's local provider extracts; it does not write. It found nothing of the kind asked for. Set OPENAI_API_KEY or ANTHROPIC_API_KEY for a language model.")]
    public async Task What_is_asked_for_is_extracted(string prompt, string answer) => Assert.Equal(answer, await Asking.Ask(prompt));

    [Theory]
    [InlineData("Classify the sentiment as positive, negative or neutral: I love this, the best purchase of my life", "positive")]
    [InlineData("Classify the sentiment as positive, negative or neutral: It broke after a day, terrible and useless.", "negative")]
    [InlineData("Classify the sentiment as positive, negative, or neutral.\n\nThe parcel has four sides.", "neutral")]
    [InlineData("Labels: billing, technical, shipping\n\nI was charged twice on my card and want a refund", "billing")]
    [InlineData("Classify into one of: billing, technical, shipping\nThe app crashes with an error at login", "technical")]
    [InlineData("Categories:\n- billing\n- technical\n- shipping\n\nWhere is my parcel? The courier never arrived.", "shipping")]
    public async Task A_text_gets_the_label_nearest_to_it(string prompt, string label) => Assert.Equal(label, await Asking.Ask(prompt));

    [Fact]
    public async Task The_labels_may_stand_in_the_system_prompt() =>
        Assert.Equal("technical", await Asking.Ask("The screen stays black and I get an error", "You classify tickets as one of: billing, technical, shipping. Answer with the label only."));

    [Fact]
    public async Task Anything_else_gets_an_honest_reply_about_the_prompt()
    {
        var reply = await Asking.Ask(Article + "What do you think?");
        Assert.StartsWith("Penstock's local provider extracts; it does not write. What your prompt is about: ", reply, StringComparison.Ordinal);
        Assert.Contains("Its central sentence: \"", reply, StringComparison.Ordinal);
        Assert.EndsWith("Set OPENAI_API_KEY or ANTHROPIC_API_KEY for a language model.", reply, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Extract the e-mails: ann@example.com", """{"email":["ann@example.com"]}""")]
    [InlineData("Classify as spam or ham: you won a free prize, click now", """{"label":"spam"}""")]
    public async Task Json_without_a_schema_is_an_object(string prompt, string answer)
    {
        var call = Asking.Call(prompt) with { ResponseFormat = new ResponseFormat(null, null) };
        Assert.Equal(answer, (await Asking.Whole(Asking.Provider, Asking.At(call))).First.Text);
    }
}
