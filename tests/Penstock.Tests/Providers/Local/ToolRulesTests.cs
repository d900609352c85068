using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Tools.Search;
using Xunit;

namespace Penstock.Tests.Providers.Local;

public sealed class ToolRulesTests
{
    private const string Topic = """{"topic":"renewable energy trends"}""";

    private static readonly ToolDefinition[] Three = [ToolTalks.Search, ToolTalks.Summarize, ToolTalks.Extract];

    [Fact]
    public async Task A_topic_is_searched_for_summed_up_and_reported_with_the_sources_of_each_sentence()
    {
        var talk = await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync(Topic, Three);
        Assert.Equal(["search", "summarize", "extract"], talk.Calls.Select(made => made.Name));
        Assert.Equal([1, 2], talk.Turns);
        Assert.Equal("renewable energy trends", talk.Calls[0].Arguments.GetProperty("query").GetString());
        Assert.Contains("Solar capacity grew by 24 percent", talk.Calls[1].Arguments.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Contains("[iea#", talk.Answer, StringComparison.Ordinal);
        Assert.DoesNotContain("tea#", talk.Answer, StringComparison.Ordinal);
        Assert.Contains("Extracted: date: 2025-05-03; amount: $12 million", talk.Answer, StringComparison.Ordinal);
        Assert.Contains("Put together by rules from what the tools answered: Penstock's local provider extracts; it does not write.", talk.Answer, StringComparison.Ordinal);
        // Each sentence stands in what was found.
        Assert.All(talk.Answer.Split('\n')[0].Split(" [")[..1], sentence => Assert.Contains(ToolTalks.Energy, text => text.Text.Contains(sentence, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_sentence_in_words_of_its_own_has_no_source_behind_it_and_the_sources_come_at_the_end()
    {
        const string Found = """{"text":"","results":[{"docId":"a","chunkId":"a#0","snippet":"Solar power grew."},{"docId":"b","chunkId":"b#3","snippet":"Wind power grew."}]}""";
        var talk = await new ToolTalks { Answers = (name, _) => name == "search" ? Found : """{"text":"Panels and turbines multiplied."}""" }.RunAsync(Topic, [ToolTalks.Search, ToolTalks.Summarize]);
        Assert.StartsWith("Panels and turbines multiplied. Sources: [a#0] [b#3]\n", talk.Answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_there_is_nothing_to_search_in_it_says_so_and_answers_from_what_it_has()
    {
        var talk = await new ToolTalks().RunAsync(Topic, Three);
        Assert.Equal(["search"], talk.Calls.Select(made => made.Name));
        Assert.StartsWith(
            "Search failed: There is nothing to search in: no documents are configured here. So there is nothing to answer from but the request itself, which is about renewable energy trends.",
            talk.Answer, StringComparison.Ordinal);
        Assert.DoesNotContain("[", talk.Answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_nothing_is_found_it_says_what_it_looked_for()
    {
        var talk = await new ToolTalks { Documents = [new SearchedText("tea", null, null, "Green tea is brewed at 80 degrees.")] }.RunAsync(Topic, Three);
        Assert.StartsWith("Search found nothing for \"renewable energy trends\".", talk.Answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_call_at_a_time_where_the_client_wants_that()
    {
        var talk = await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync(Topic, Three, change: call => call with { ParallelToolCalls = false });
        Assert.Equal([1, 1, 1], talk.Turns);
        Assert.Equal(["search", "summarize", "extract"], talk.Calls.Select(made => made.Name));
    }

    [Fact]
    public async Task None_is_called_where_none_may_be_or_none_is_known()
    {
        var none = await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync(Topic, Three, change: call => call with { ToolChoice = new ToolChoice(ToolChoiceKind.None) });
        Assert.Empty(none.Calls);
        var unknown = await new ToolTalks().RunAsync("What is the weather in Rome?", [new ToolDefinition("get_weather", null, """{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}""")]);
        Assert.Empty(unknown.Calls);
        // As it answers without tools: what the system text asks for.
        Assert.Equal("good", unknown.Answer);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("""{"type":"object","properties":{"q":{"type":"string"}},"required":["q"]}""")]
    [InlineData("""{"type":"object","properties":{"query":{"type":"string"},"index":{"type":"string"}},"required":["query","index"]}""")]
    [InlineData("""{"type":"object","properties":{"query":{"type":"integer"}},"required":["query"]}""")]
    [InlineData("""{"type":"object","properties":{"query":{"type":"string","minLength":500}},"required":["query"]}""")]
    [InlineData("not json")]
    public async Task A_tool_whose_arguments_it_does_not_have_is_not_called(string? schema)
    {
        var talk = await new ToolTalks().RunAsync(Topic, [new ToolDefinition("search", null, schema)]);
        Assert.Empty(talk.Calls);
    }

    [Fact]
    public async Task Of_arguments_only_those_the_tool_knows_are_given_and_no_longer_than_it_takes()
    {
        var talk = await new ToolTalks().RunAsync($$"""{"question":"{{new string('a', 90)}}"}""", [ToolTalks.Search with { Schema = """{"type":"object","properties":{"query":{"type":"string","maxLength":80}},"required":["query"]}""" }, ToolTalks.Escalate]);
        Assert.Equal(["search", "escalate"], talk.Calls.Select(made => made.Name));
        Assert.Equal(80, talk.Calls[0].Arguments.GetProperty("query").GetString()!.Length);
        Assert.Equal(60, talk.Calls[1].Arguments.GetProperty("question").GetString()!.Length);
    }

    [Fact]
    public async Task Arguments_are_an_object_also_where_the_tool_takes_anything()
    {
        var call = Asking.Call("Hello there.") with { Tools = [new ToolDefinition("get_weather", null, "{}")], ToolChoice = new ToolChoice(ToolChoiceKind.Named, "get_weather") };

        Assert.Equal("{}", Assert.Single((await Asking.Whole(Asking.Provider, Asking.At(call))).First.ToolCalls).Arguments);
    }

    [Fact]
    public async Task A_named_tool_is_called_with_what_the_text_has_and_not_twice_with_the_same()
    {
        ToolDefinition weather = new("get_weather", null, """{"type":"object","properties":{"date":{"type":"string","format":"date"}},"required":["date"]}""");
        var call = Asking.Call("How will it be on 3 May 2026?") with { Tools = [weather, ToolTalks.Search], ToolChoice = new ToolChoice(ToolChoiceKind.Named, "get_weather") };
        var made = Assert.Single((await Asking.Whole(Asking.Provider, Asking.At(call))).First.ToolCalls);
        Assert.Equal(("get_weather", """{"date":"2026-05-03"}"""), (made.Name, made.Arguments));

        call = call with { Messages = [.. call.Messages, new ChatMessage(ChatRole.Assistant, [new ToolCallPart("1", made.Name, """{ "date": "2026-05-03" }""")]), new ChatMessage(ChatRole.Tool, [new ToolResultPart("1", [new TextPart("rain")])])] };
        var thrown = await Assert.ThrowsAsync<ProviderException>(() => Asking.Whole(Asking.Provider, Asking.At(call)));
        Assert.Equal((ProviderFault.Rejected, "tool_choice", "no_tool_call"), (thrown.Fault, thrown.Field, thrown.Code));
        var empty = Asking.Call("Hello there.") with { Tools = [weather], ToolChoice = call.ToolChoice };
        Assert.Equal("no_tool_call", (await Assert.ThrowsAsync<ProviderException>(() => Asking.Whole(Asking.Provider, Asking.At(empty)))).Code);
        // Where any may be called, another one is.
        var other = (await Asking.Whole(Asking.Provider, Asking.At(call with { ToolChoice = new ToolChoice(ToolChoiceKind.Required) }))).First.ToolCalls;
        Assert.Equal("search", Assert.Single(other).Name);
    }

    [Fact]
    public async Task A_form_is_filled_from_what_the_tools_answered()
    {
        const string Schema = """
            {"type":"object","required":["summary","keyPoints","answer","citations","limitations"],"additionalProperties":false,"properties":{
              "summary":{"type":"string"},"keyPoints":{"type":"array","items":{"type":"string"}},"answer":{"type":["string","null"]},
              "citations":{"type":"array","items":{"type":"string"}},"limitations":{"type":["string","null"]}}}
            """;
        var talk = await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync("""{"question":"How did solar capacity grow?"}""", Three, Schema);
        // The form names nothing to extract.
        Assert.Equal(["search", "summarize"], talk.Calls.Select(made => made.Name));
        var answer = Parsed(talk.Answer, Schema);
        Assert.Contains("Solar capacity grew by 24 percent in 2025.", answer.GetProperty("summary").GetString(), StringComparison.Ordinal);
        Assert.All(answer.GetProperty("citations").EnumerateArray(), citation => Assert.StartsWith("iea#", citation.GetString(), StringComparison.Ordinal));
        Assert.NotEmpty(answer.GetProperty("keyPoints").EnumerateArray());
        Assert.Contains("it does not write", answer.GetProperty("limitations").GetString(), StringComparison.Ordinal);

        var objects = Schema.Replace("""{"type":"array","items":{"type":"string"}},"limitations""", """{"type":"array","items":{"type":"object","required":["docId","chunkId"],"additionalProperties":false,"properties":{"docId":{"type":"string"},"chunkId":{"type":"string"},"uri":{"type":["string","null"]}}}},"limitations""", StringComparison.Ordinal);
        var cited = Parsed((await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync("""{"question":"How did solar capacity grow?"}""", Three, objects)).Answer, objects).GetProperty("citations");
        Assert.Equal(("iea", "https://iea.test/outlook"), (cited[0].GetProperty("docId").GetString(), cited[0].GetProperty("uri").GetString()));
    }

    [Fact]
    public async Task What_the_form_names_is_extracted_and_comes_from_the_tool()
    {
        const string Schema = """{"type":"object","required":["amount","date","summary"],"properties":{"amount":{"type":"string"},"date":{"type":"string"},"summary":{"type":"string"}}}""";
        var talk = await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync("""{"question":"battery project"}""", Three, Schema);
        Assert.Equal("""["amount","date"]""", talk.Calls.Single(made => made.Name == "extract").Arguments.GetProperty("fields").GetRawText());
        var answer = Parsed(talk.Answer, Schema);
        Assert.Equal("2025-05-03", answer.GetProperty("date").GetString());
    }

    [Fact]
    public async Task Extraction_gives_the_tools_data_and_names_what_is_missing()
    {
        const string Schema = """{"type":"object","required":["data","missing"],"additionalProperties":false,"properties":{"data":{"type":"object"},"missing":{"type":"array","items":{"type":"string"}}}}""";
        var talk = await new ToolTalks().RunAsync("""{"text":"Write to ann@example.com.","fields":["email","phone"]}""", [ToolTalks.Extract], Schema);
        Assert.Equal([1], talk.Turns);
        Assert.Equal("""{"data":{"email":"ann@example.com","phone":null},"missing":["phone"]}""", talk.Answer);
        var wanted = await new ToolTalks { Answers = (_, _) => """{"text":"","data":{"n":7}}""" }.RunAsync("""{"text":"seven","schema":{"type":"object","properties":{"n":{"type":"integer"}}}}""", [ToolTalks.Extract], Schema);
        Assert.Equal("object", wanted.Calls[0].Arguments.GetProperty("schema").GetProperty("type").GetString());
        Assert.Equal("""{"data":{"n":7},"missing":[]}""", wanted.Answer);
    }

    [Theory]
    [InlineData("""{"text":"I was charged twice and want my money back","labels":["billing","technical"]}""", "billing", 2)]
    [InlineData("Classify as billing or technical: I was charged twice and want my money back", "billing", 2)]
    [InlineData("""{"text":"This is wonderful, thank you"}""", "positive", 3)]
    public async Task Classification_takes_the_users_labels(string input, string label, int labels)
    {
        const string Schema = """{"type":"object","required":["labels","reason"],"additionalProperties":false,"properties":{"labels":{"type":"array","items":{"type":"string"}},"reason":{"type":["string","null"]}}}""";
        var talk = await new ToolTalks().RunAsync(input, [ToolTalks.Classify], Schema);
        Assert.Equal(labels, talk.Calls.Single().Arguments.GetProperty("labels").GetArrayLength());
        Assert.Equal($$"""{"labels":["{{label}}"],"reason":null}""", talk.Answer);
    }

    [Fact]
    public async Task A_person_is_asked_where_the_documents_do_not_settle_it_and_not_where_they_do()
    {
        ToolDefinition[] tools = [ToolTalks.Search, ToolTalks.Escalate];
        var asked = await new ToolTalks { Answers = (name, _) => name == "search" ? """{"text":"","results":[]}""" : """{"answered":true,"answer":"Yes, until Friday."}""" }.RunAsync("Can I return it?", tools);
        Assert.Equal(["search", "escalate"], asked.Calls.Select(made => made.Name));
        Assert.StartsWith("A person says: Yes, until Friday.", asked.Answer, StringComparison.Ordinal);
        var known = await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync("How is green tea brewed?", tools);
        Assert.Equal(["search"], known.Calls.Select(made => made.Name));
        Assert.StartsWith("Green tea is brewed at 80 degrees. [tea#", known.Answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Summarise: The gate meters water. It was built in 1999. Rivers are long.", "summarize extract")]
    [InlineData("Summarise what is known of renewable energy", "search")]
    public async Task A_text_that_comes_with_the_wish_is_worked_on_and_not_searched_for(string input, string calls)
    {
        var talk = await new ToolTalks { Answers = (name, _) => name == "search" ? null : """{"text":"It was built in 1999.","data":{}}""" }.RunAsync(input, [.. Three, ToolTalks.Classify]);
        Assert.Equal(calls, string.Join(' ', talk.Calls.Select(made => made.Name).Where(name => calls == "search" || name != "search")));
    }

    [Fact]
    public async Task Addresses_that_are_named_are_read_and_cited()
    {
        var talk = await new ToolTalks { Answers = (name, arguments) => name == "http_fetch" ? $$"""{"text":"Dams hold water back.","title":"Dams","url":"{{arguments.GetProperty("url").GetString()}}"}""" : null }
            .RunAsync("What do https://a.test/dams and https://b.test/x say of dams?", [ToolTalks.Search, ToolTalks.Fetch]);
        Assert.Equal([3], talk.Turns);
        Assert.StartsWith("Dams hold water back. [https://a.test/dams]", talk.Answer, StringComparison.Ordinal);
        Assert.Contains("Search failed:", talk.Answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Documents_without_a_question_are_searched_by_what_they_are_about_and_code_is_not()
    {
        var analysed = await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync("""{"documents":["Solar capacity grew by 24 percent. Solar capacity is cheap.",{"docId":"b","text":"Wind turbines."}]}""", [ToolTalks.Search]);
        Assert.Contains("Solar capacity", Assert.Single(analysed.Calls).Arguments.GetProperty("query").GetString(), StringComparison.Ordinal);

        // As an agent's run says which documents there are.
        var given = (await new ToolTalks { Documents = ToolTalks.Energy }.RunAsync("{}", [ToolTalks.Search], change: call => call with
        {
            Messages = [call.Messages[0], new ChatMessage(ChatRole.User, [new TextPart("""{"documents":[{"docId":"a","characters":900,"begins":"Solar capacity grew by 24 percent."}]}""")]), .. call.Messages.Skip(1)],
        }));
        Assert.Contains("Solar capacity", Assert.Single(given.Calls).Arguments.GetProperty("query").GetString(), StringComparison.Ordinal);

        const string Review = """{"type":"object","required":["summary","findings","limitations"],"properties":{"summary":{"type":"string"},"findings":{"type":"array","items":{"type":"object","required":["severity","problem"],"properties":{"severity":{"enum":["critical","major","minor"]},"file":{"type":["string","null"]},"problem":{"type":"string"}}}},"limitations":{"type":["string","null"]}}}""";
        var reviewed = await new ToolTalks().RunAsync("""{"code":"// critical: minor\nfile: a.cs\nvar x = 1 / 0;"}""", [ToolTalks.Search], Review);
        Assert.Empty(reviewed.Calls);
        // It cannot judge code, and finds nothing rather than something made up.
        Assert.Equal(0, Parsed(reviewed.Answer, Review).GetProperty("findings").GetArrayLength());
    }

    [Fact]
    public async Task A_later_message_leads_to_no_second_search_and_tools_that_fail_are_not_called_again()
    {
        var failing = await new ToolTalks { Answers = (_, _) => null }.RunAsync(Topic, Three);
        Assert.Equal(["search"], failing.Calls.Select(made => made.Name));
        var late = failing.Last with { Messages = [.. failing.Last.Messages, new ChatMessage(ChatRole.Assistant, [new TextPart("x")]), new ChatMessage(ChatRole.User, [new TextPart("Your answer is unfit; search again.")])] };
        var again = (await Asking.Whole(Asking.Provider, Asking.At(late))).First;
        Assert.Empty(again.ToolCalls);
        Assert.Equal(failing.Answer, again.Text);
    }

    [Fact]
    public async Task What_tools_and_their_answers_hold_is_metered()
    {
        var call = Asking.Call("one two") with
        {
            Tools = [new ToolDefinition("look", "three four", null)],
            Messages = [.. Asking.Call("one two").Messages, new ChatMessage(ChatRole.Assistant, [new ToolCallPart("1", "look", "{}")]), new ChatMessage(ChatRole.Tool, [new ToolResultPart("1", [new TextPart("five six seven")])])],
        };
        var usage = (await Asking.Whole(Asking.Provider, Asking.At(call))).Usage!;
        Assert.Equal(2 + 1 + 2 + 1 + 2 + 3, usage.Counts.Input);
        Assert.Equal(new TokenCount(usage.Counts.Input, true), await Asking.Provider.CountAsync(Asking.At(call), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Calls_are_cut_where_the_answer_may_not_be_longer()
    {
        var call = Asking.Call(Topic) with { Tools = Three };
        var cut = (await Asking.Whole(Asking.Provider, Asking.At(call, most: 3))).First;
        Assert.Equal(FinishReason.Length, cut.Reason);
        Assert.Equal("{\"query", Assert.Single(cut.ToolCalls).Arguments);
    }

    private static JsonElement Parsed(string text, string schema)
    {
        using var document = JsonDocument.Parse(text);
        Assert.Null(JsonSchema.Parse(schema).Check(document.RootElement));
        return document.RootElement.Clone();
    }
}
