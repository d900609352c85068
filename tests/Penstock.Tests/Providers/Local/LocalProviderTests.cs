using System.Diagnostics;
using System.Text;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Providers.Local;

public sealed class LocalProviderTests
{
    private static readonly ProviderCall Hello = Asking.At(Asking.Call("write a haiku about TypeScript"));

    [Fact]
    public async Task A_whole_answer_is_one_frame_that_says_what_answers()
    {
        var frame = Assert.Single(await Asking.Frames(Asking.Provider, Hello));
        Assert.True(frame.Last);
        Assert.True(frame.Data.IsEmpty);
        Assert.Equal(new AnswerStarted("local-att_1", "local-extractive"), frame.Updates[0]);
        Assert.Equal(new Finished(0, FinishReason.Stop), frame.Updates[2]);
        // Five words in, 39 pieces out.
        Assert.Equal(new UsageReported(TokenCounts.Of(5, 39), true, "standard"), frame.Updates[3]);
        Assert.Equal(
            new TextDelta(0, "Penstock's local provider extracts; it does not write. What your prompt is about: haiku, TypeScript. Set OPENAI_API_KEY or ANTHROPIC_API_KEY for a language model."),
            frame.Updates[1]);
    }

    [Fact]
    public async Task A_stream_says_the_same_word_by_word()
    {
        var whole = await Asking.Whole(Asking.Provider, Hello);
        var frames = await Asking.Frames(Asking.Provider, Hello with { Call = Hello.Call with { Stream = true } });
        Assert.Equal(whole.Usage!.Counts.Output + 2, frames.Count);
        Assert.Equal(whole.First.Text, string.Concat(frames.SelectMany(frame => frame.Updates).OfType<TextDelta>().Select(delta => delta.Text)));
        Assert.Equal([.. Enumerable.Repeat(false, frames.Count - 1), true], frames.Select(frame => frame.Last));
        Assert.Equal(whole.Usage, frames[^1].Updates.OfType<UsageReported>().Single());
    }

    [Fact]
    public async Task The_answer_ends_at_the_most_tokens_or_before_a_stop_sequence()
    {
        var cut = await Asking.Whole(Asking.Provider, Hello with { MaxOutputTokens = 4 });
        Assert.Equal(("Penstock's local", FinishReason.Length, 4), (cut.First.Text, cut.First.Reason, cut.Usage!.Counts.Output));
        var stopped = await Asking.Whole(Asking.Provider, Hello with { Call = Hello.Call with { Stop = ["never", "write", "extracts"] } });
        Assert.Equal(("Penstock's local provider ", FinishReason.StopSequence, "extracts"), (stopped.First.Text, stopped.First.Reason, stopped.First.StopSequence));
    }

    public static TheoryData<string, string> Beyond => new()
    {
        { "choice", "tool_choice" }, { "n", "n" }, { "logprobs", "logprobs" }, { "image", "messages" }, { "result", "messages" }, { "thinking", "messages" }, { "opaque", "messages[0].content[0]" }, { "dialect", "service_tier" }, { "pattern", "response_format.json_schema.schema.properties.a.pattern" },
    };

    [Theory]
    [MemberData(nameof(Beyond))]
    public async Task What_it_cannot_do_is_refused_by_name(string what, string field)
    {
        var call = what switch
        {
            "choice" => Hello.Call with { ToolChoice = new ToolChoice(ToolChoiceKind.Required) },
            "n" => Hello.Call with { Choices = 2 },
            "logprobs" => Hello.Call with { Logprobs = true },
            "image" => Of(new ImagePart("https://x.test/a.png", null, null)),
            "result" => Of(new ToolResultPart("1", [new ImagePart("https://x.test/a.png", null, null)])),
            "thinking" => Of(new ThinkingPart("hm", "s")),
            "opaque" => Of(new OpaquePart("messages[0].content[0]", "file")),
            "pattern" => Asking.Call("x", schema: """{"type":"object","properties":{"a":{"type":"string","pattern":"^a$"}}}"""),
            _ => Hello.Call with { DialectOnly = ["service_tier"] },
        };
        var refusal = Asking.Provider.Objects(Asking.At(call));
        Assert.Equal(("unsupported_by_target", field), (refusal!.Code, refusal.Field));
        Assert.Contains("local", refusal.Message, StringComparison.Ordinal);
        var thrown = await Assert.ThrowsAsync<ProviderException>(() => Asking.Frames(Asking.Provider, Asking.At(call)));
        Assert.Equal((ProviderFault.Rejected, field), (thrown.Fault, thrown.Field));

        ChatCall Of(ChatPart part) => Hello.Call with { Messages = [new ChatMessage(ChatRole.User, [part])] };
    }

    [Fact]
    public async Task An_empty_conversation_is_answered() => Assert.StartsWith("Penstock's local provider extracts;", await Asking.Ask(""), StringComparison.Ordinal);

    [Theory]
    [InlineData("sentences")]
    [InlineData("one letter")]
    [InlineData("at signs")]
    [InlineData("digits")]
    [InlineData("commas")]
    [InlineData("spaces")]
    [InlineData("line breaks")]
    [InlineData("colons")]
    [InlineData("random")]
    public async Task A_megabyte_takes_seconds_whatever_it_holds(string kind)
    {
        var text = new StringBuilder();
        var unit = kind switch
        {
            "sentences" => "The gate meters water number 1234 into the turbine, by mail to a.b@example.com on 3 May 2026. ",
            "one letter" => "a",
            "at signs" => "a@",
            "digits" => "12 ",
            "commas" => "a: b, ",
            "spaces" => " ",
            "line breaks" => "x\n-",
            "colons" => "labels: ",
            _ => "",
        };
        for (var seed = 7u; text.Length < 1_000_000; seed = (seed * 1_664_525) + 1_013_904_223) text.Append(unit.Length > 0 ? unit : ((char)(' ' + ((seed >> 16) % 95))).ToString());
        var clock = Stopwatch.StartNew();
        var schema = """{"type":"object","properties":{"email":{"type":"string"},"total":{"type":"number"},"tags":{"type":"array","items":{"type":"string"}},"kind":{"enum":["a","b"]}},"required":["email","total","tags","kind"]}""";
        foreach (var task in new[] { "Summarise:\n", "Extract everything:\n" }) Assert.NotEmpty(await Asking.Ask(task + text));
        Assert.NotEmpty(await Asking.Ask(text.ToString(), schema: schema));
        // Quadratic work would take hours.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 30);
    }

    [Fact]
    public async Task A_text_past_the_reach_is_answered_from_its_head_and_says_so()
    {
        var reply = await Asking.Ask("Extract all e-mails: a@example.com " + new string(' ', 2_100_000) + "b@example.com");
        Assert.Equal("email: a@example.com\n(Only the first 2,000,000 characters were read.)", reply);
    }

    [Fact]
    public async Task Cancellation_stops_the_work()
    {
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();
        var call = Asking.At(Asking.Call("Summarise: " + string.Concat(Enumerable.Repeat("One sentence here. ", 10_000))));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Asking.FramesUntil(Asking.Provider, call, gone.Token));
    }

    [Fact]
    public async Task Similar_texts_have_closer_vectors_of_length_one()
    {
        var answer = await Asking.Provider.EmbedAsync(
            new EmbedCall("local", ["How do I reset my password?", "I forgot my password and need it reset", "The recipe needs two eggs and flour", "!!"], null, null, new AttemptId("a")),
            TestContext.Current.CancellationToken);
        Assert.All(answer.Vectors, vector => Assert.Equal(1, Dot(vector, vector), 4));
        Assert.All(answer.Vectors, vector => Assert.Equal(256, vector.Length));
        Assert.True(Dot(answer.Vectors[0], answer.Vectors[1]) > Dot(answer.Vectors[0], answer.Vectors[2]) + 0.2);
        Assert.Equal(("local-hashed", false, 7 + 8 + 7 + 2), (answer.Model, answer.Estimated, answer.Tokens.Total));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2_048, true)]
    [InlineData(0, false)]
    [InlineData(2_049, false)]
    public async Task Vectors_have_the_dimensions_asked_for(int dimensions, bool can)
    {
        var asked = Asking.Provider.EmbedAsync(new EmbedCall("local", ["some text"], dimensions, null, new AttemptId("a")), TestContext.Current.CancellationToken);
        if (can) Assert.Equal(dimensions, (await asked).Vectors[0].Length);
        else Assert.Equal("dimensions", (await Assert.ThrowsAsync<ProviderException>(() => asked)).Field);
    }

    [Fact]
    public async Task Vectors_never_change() =>
        // Stored vectors are compared with new ones: a change here is a new model name.
        Assert.Equal(
            new[] { 0f, 0f, -1f, 0f },
            (await Asking.Provider.EmbedAsync(new EmbedCall("local", ["!"], 4, null, new AttemptId("a")), TestContext.Current.CancellationToken)).Vectors[0]);

    private static double Dot(float[] left, float[] right) => left.Zip(right).Sum(pair => (double)pair.First * pair.Second);
}
