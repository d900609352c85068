using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>What model <c>auto</c> saves on a trace, by the ledger and with the shipped prices; <c>bench/selection.sh</c> prints it.</summary>
public sealed class SelectionTests(ITestOutputHelper output)
{
    private const string Small = "claude-haiku-4-5";

    private static readonly string[] Cheap = ["summarise", "extract", "classify"];

    /// <summary>The second mix is reported and holds no promise: where little of the work is simple, little is saved.</summary>
    [Theory]
    [InlineData("documents", 0.40)]
    [InlineData("assistant", 0.10)]
    public async Task Auto_costs_less_than_standard_on_a_mixed_trace_and_every_answer_passes(string name, double least)
    {
        var calls = await TraceAsync(name);
        var (standard, _, _) = await RunAsync(calls, "standard");
        var (auto, vetoes, passed) = await RunAsync(calls, "auto");

        var saving = 1 - (auto / standard);
        var simple = calls.Where(call => Cheap.Contains(call.Kind)).ToArray();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}: {calls.Count} calls, {simple.Length} of them simple, {vetoes} vetoed and paid twice. standard {standard:0.000000} USD, auto {auto:0.000000} USD, saving {saving:P1}. {passed} of {calls.Count} answers pass."));
        Assert.Equal(calls.Count, passed);
        Assert.Equal(simple.Count(call => call.Declined), vetoes);
        Assert.True(saving >= (decimal)least, $"{saving:P1} saved; {least:P0} promised");
    }

    private static async Task<(decimal Cost, int Vetoes, int Passed)> RunAsync(IReadOnlyList<TraceCall> calls, string model)
    {
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Environment = ServerOptions.Reaching(upstream) });
        using var api = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);
        var (vetoes, passed) = (0, 0);
        foreach (var call in calls)
        {
            using var answer = await api.PostAsync("/v1/complete", call.Body(model, Small));
            var text = await answer.Content.ReadAsStringAsync(Wait.Token);
            Assert.True(answer.IsSuccessStatusCode, text);
            var told = answer.Headers.TryGetValues("x-penstock-route", out var said) ? said.Single() : "";
            if (told.Contains("vetoed", StringComparison.Ordinal)) vetoes++;
            if (model == "auto") Assert.Contains($"task {call.Kind} ", told, StringComparison.Ordinal);
            using var parsed = JsonDocument.Parse(text);
            if (call.Passes(parsed.RootElement)) passed++;
        }

        var cost = (await api.GetAsync("/v1/usage")).GetProperty("totalCost").GetDecimal();
        await server.StopAsync();
        return (cost, vetoes, passed);
    }

    private static async Task<IReadOnlyList<TraceCall>> TraceAsync(string name)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Penstock.slnx"))) folder = folder.Parent!;
        using var trace = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder.FullName, "bench", "selection", "trace.json"), Wait.Token));
        var mix = trace.RootElement.GetProperty("mixes").EnumerateArray().Single(one => one.GetProperty("name").GetString() == name);
        return [.. mix.GetProperty("calls").EnumerateArray().SelectMany(group => Enumerable.Range(0, group.GetProperty("count").GetInt32()).Select(i => TraceCall.Of(group, i)))];
    }

    /// <summary>One call of the trace. What the stand-in answers depends on the text alone.</summary>
    private sealed record TraceCall(string Kind, int Number, int Input, int Output, bool Declined)
    {
        private static readonly string[] Vocabulary = ["delivery", "contract", "invoice", "harbour", "customer", "number", "meeting", "pressure", "turbine", "report", "Tuesday", "account", "warranty", "signal", "water"];

        public static TraceCall Of(JsonElement group, int i) => new(
            group.GetProperty("kind").GetString()!, i, group.GetProperty("input").GetInt32(),
            group.TryGetProperty("output", out var output) ? output.GetInt32() : 0, group.TryGetProperty("declined", out var declined) && i < declined.GetInt32());

        public string Body(string model, string small)
        {
            var prefix = Declined ? $"[[refuse:on={small}]]" : "";
            var body = new JsonObject { ["model"] = model, ["maxTokens"] = 1000 };
            var slow = $"[[slow:tokens={Output}:ms=0]]";
            switch (Kind)
            {
                case "summarise":
                    // The stand-in says what it was told, up to the stop.
                    body["stop"] = "###";
                    Ask(body, $"{prefix}Summarise the following report: {Words(Output)} ### {Words(Input - Output)}");
                    break;
                case "extract":
                    Ask(body, $"{prefix}Extract the customer and the amount as JSON. {Words(Input)}");
                    Schema(body, """{"type":"object","properties":{"customer":{"type":"string"},"amount":{"type":"number"},"currency":{"type":"string","enum":["EUR","USD"]}},"required":["customer","amount","currency"],"additionalProperties":false}""");
                    break;
                case "classify":
                    Ask(body, $"{prefix}Classify this ticket. {Words(Input)}");
                    Schema(body, """{"type":"object","properties":{"label":{"type":"string","enum":["billing","delivery","other"]}},"required":["label"],"additionalProperties":false}""");
                    break;
                case "agent":
                    Agent(body);
                    break;
                case "code":
                    Ask(body, $"{slow}Refactor this python module so that it has unit tests. {Words(Input)}");
                    break;
                case "maths":
                    Ask(body, $"{slow}Solve for x and prove that it is the only one. {Words(Input)}");
                    break;
                case "reason":
                    Ask(body, $"{slow}Reason through the root cause step by step. {Words(Input)}");
                    break;
                default:
                    Ask(body, $"{slow}Hello, I wanted to ask about my order. {Words(Input)}");
                    break;
            }

            return body.ToJsonString();
        }

        /// <summary>The check of the trace itself, on what the client got; it knows nothing of the one in the server.</summary>
        public bool Passes(JsonElement answer)
        {
            var text = answer.GetProperty("content").GetString()!;
            if (answer.GetProperty("finishReason").GetString() is "length" or "contentFilter" || text.StartsWith("I cannot", StringComparison.Ordinal)) return false;
            if (Kind is not ("extract" or "classify")) return text.Split(' ').Length >= 10;
            using var parsed = JsonDocument.Parse(text);
            return parsed.RootElement.TryGetProperty(Kind == "extract" ? "currency" : "label", out var value) && value.GetString() is "EUR" or "USD" or "billing" or "delivery" or "other";
        }

        private static void Ask(JsonObject body, string text) => body["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text });

        private static void Schema(JsonObject body, string schema) => body["responseFormat"] = new JsonObject { ["type"] = "json", ["name"] = "answer", ["schema"] = JsonNode.Parse(schema) };

        private void Agent(JsonObject body)
        {
            var messages = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "See to the order." });
            for (var step = 0; step < 3; step++)
            {
                messages.Add(new JsonObject { ["role"] = "assistant", ["toolCalls"] = new JsonArray(new JsonObject { ["id"] = $"c{step}", ["name"] = "get_order", ["arguments"] = new JsonObject { ["step"] = step } }) });
                messages.Add(new JsonObject { ["role"] = "tool", ["toolCallId"] = $"c{step}", ["content"] = Words(Input / 3) });
            }

            body["messages"] = messages;
            body["tools"] = new JsonArray(new JsonObject { ["name"] = "get_order", ["parameters"] = JsonNode.Parse("""{"type":"object","properties":{"step":{"type":"integer"}}}""") });
        }

        private string Words(int count) => string.Join(' ', Enumerable.Range(Number, Math.Max(1, count)).Select(i => Vocabulary[((i * 7) + (i / 11)) % Vocabulary.Length]));
    }
}
