using FsCheck;
using FsCheck.Fluent;
using Penstock.Gateway;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Providers.OpenAi;
using Penstock.Tests.Gateway.Wire.OpenAi;
using Xunit;

namespace Penstock.Tests.Providers.OpenAi;

/// <summary>A call of another dialect, written for a provider and read again as a client's, says the same.</summary>
public sealed class OpenAiRoundTripTests
{
    private static readonly string[] Texts = ["", "a", "line\nbreak", "\"quoted\" \\ back", "Grüß 😀", "</script>", "\u0000\u001f\u2028", "{\"json\":1}"];

    [Fact]
    public void A_call_says_the_same_after_it_was_written_and_read() =>
        Prop.ForAll(Arb.From(Calls()), call =>
        {
            Assert.Null(OpenAiCrossing.FirstObstacle(call, "x"));
            var read = OpenAiRequestReader.Read(OpenAiRequest.Write(call.To(call.Model, call.MaxOutputTokens)));
            // A stream is always asked for its usage.
            Assert.Equal(CallText.Of(call with { Dialect = Dialect.OpenAi, IncludeUsage = call.Stream }), CallText.Of(read));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithEndSize(30));

    private static Gen<ChatCall> Calls() =>
        from messages in Messages().NonEmptyListOf()
        from tools in Tools().ListOf()
        from choice in Gen.Elements(ToolChoiceKind.Auto, ToolChoiceKind.None, ToolChoiceKind.Required, ToolChoiceKind.Named)
        from flags in Gen.Choose(0, 1023)
        from number in Gen.Choose(1, 200)
        from stops in Text().Where(text => text.Length > 0).ListOf().Where(list => list.Count <= 4)
        select new ChatCall
        {
            Dialect = Dialect.Anthropic,
            Model = "gpt-4o",
            Messages = [.. messages],
            Tools = [.. tools],
            ToolChoice = tools.Count > 0 && Set(flags, 0) ? new ToolChoice(choice, choice == ToolChoiceKind.Named ? tools[0].Name : null) : null,
            ParallelToolCalls = tools.Count > 0 && Set(flags, 1) ? number % 2 == 0 : null,
            ResponseFormat = Set(flags, 2) ? new ResponseFormat("r", "{\"type\":\"object\"}", number % 2 == 0 ? true : null, number % 3 == 0 ? "d" : null) : Set(flags, 3) ? new ResponseFormat(null, null) : null,
            MaxOutputTokens = Set(flags, 4) ? number : null,
            Temperature = Set(flags, 5) ? number / 100.0 : null,
            TopP = Set(flags, 6) ? number / 200.0 : null,
            FrequencyPenalty = Set(flags, 7) ? -number / 100.0 : null,
            Stop = [.. stops],
            Seed = Set(flags, 8) ? number : null,
            Logprobs = Set(flags, 9),
            TopLogprobs = Set(flags, 9) ? number % 21 : null,
            Choices = 1 + (number % 3),
            EndUser = number % 5 == 0 ? "u" : null,
            Stream = number % 2 == 0,
        };

    private static Gen<ChatMessage> Messages() => Gen.OneOf(
        from text in Parts(Said()) select new ChatMessage(ChatRole.System, text),
        from parts in Parts(Gen.OneOf(Said(), Images())) from named in Gen.Elements(null, "ada") select new ChatMessage(ChatRole.User, parts, named),
        from text in Text().Where(text => text.Length > 0)
        from calls in ToolCalls().ListOf()
        select new ChatMessage(ChatRole.Assistant, [new TextPart(text), .. calls]),
        from calls in ToolCalls().NonEmptyListOf() select new ChatMessage(ChatRole.Assistant, [.. calls]),
        from text in Parts(Said()) select new ChatMessage(ChatRole.Tool, [new ToolResultPart("c", text)]));

    private static Gen<string> Text() => Gen.Elements(Texts);

    private static Gen<ChatPart> Said() => Text().Select(text => (ChatPart)new TextPart(text));

    private static Gen<ChatPart> Images() =>
        from inline in Gen.Elements(true, false)
        from detail in Gen.Elements(null, "low", "high")
        select (ChatPart)(inline ? new ImagePart(null, "image/webp", "AAAA", detail) : new ImagePart("https://example.com/ü?a=1&b=\"", null, null, detail));

    private static Gen<IReadOnlyList<ChatPart>> Parts(Gen<ChatPart> part) => part.NonEmptyListOf().Select(list => (IReadOnlyList<ChatPart>)[.. list]);

    private static Gen<ChatPart> ToolCalls() =>
        from id in Gen.Elements("call_1", "toolu_2")
        from text in Text()
        select (ChatPart)new ToolCallPart(id, "look", $"{{\"a\":{System.Text.Json.Nodes.JsonValue.Create(text).ToJsonString()}}}");

    private static Gen<ToolDefinition> Tools() =>
        from name in Gen.Elements("look", "list")
        from description in Gen.Elements(null, "Looks.", "")
        from schema in Gen.Elements(null, "{}", "{ \"type\":\"object\" }")
        from strict in Gen.Elements<bool?>(null, true, false)
        select new ToolDefinition(name, description, schema, strict);

    private static bool Set(int flags, int bit) => (flags & (1 << bit)) != 0;
}
