using System.Net;
using System.Text.Json;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>Models of Bedrock and an endpoint of SageMaker under every dialect: signed, translated, and booked as they are billed.</summary>
public sealed class BedrockTests(BedrockTests.OnAws platform) : IClassFixture<BedrockTests.OnAws>
{
    private const string Claude = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    private const string Llama = "meta.llama3-1-70b-instruct-v1:0";
    private const string Mistral = "mistral.mistral-large-2407-v1:0";
    private const string Nova = "amazon.nova-lite-v1:0";
    private const string Endpoint = "sagemaker/penstock-chat";
    private const string Tools = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}],";

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    public sealed class OnAws : Platform
    {
        internal override string? Config => """
            {"prices": {"version": "test", "models": {"sagemaker/penstock-chat": {"input": 1, "output": 2}, "bedrock/arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.meta.llama3-1-70b-instruct-v1:0": {"input": 1, "output": 2}}}}
            """;

        internal override IReadOnlyDictionary<string, string?> More(UpstreamServer upstream) => ServerOptions.ReachingAws(upstream);
    }

    public static TheoryData<string, string, bool> Calls() => new(
        from route in new[] { "/v1/chat/completions", "/v1/messages", "/v1/complete", "/v1/stream" }
        from model in new[] { Claude, Llama, Mistral, Nova, Endpoint }
        from stream in route is "/v1/complete" ? [false] : route is "/v1/stream" ? [true] : new[] { false, true }
        select (route, model, stream));

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Every_dialect_is_answered_and_the_ledger_equals_the_bill(string route, string model, bool stream)
    {
        var (mark, text) = (Mark(), "");
        using (var answer = await platform.Admin.SendAsync(Request(route, Samples.Chat(route, $"hello {mark}", stream, model).Replace("4000", "1000", StringComparison.Ordinal), mark))) text = await ReadAsync(answer);
        Assert.Contains("said", text, StringComparison.Ordinal);
        Assert.Contains(mark, text, StringComparison.Ordinal);
        var call = Assert.Single(CallsOf(mark));
        Assert.Equal(stream, call.Streamed);
        Assert.StartsWith("AWS4-HMAC-SHA256 ", call.Headers["authorization"], StringComparison.Ordinal);
        AssertBooked(await RowAsync(mark), call, "completed", estimated: false);
    }

    [Theory]
    [InlineData(Claude, true)]
    [InlineData(Llama, false)]
    [InlineData(Mistral, true)]
    public async Task Tools_are_called_and_their_results_come_back(string model, bool streamed)
    {
        var mark = Mark();
        var asked = $$"""{"model":"{{model}}","stream":true,{{Tools}}"messages":[{"role":"user","content":"weather in Paris and London {{mark}}"}]}""";
        using (var answer = await platform.Admin.SendAsync(Request("/v1/chat/completions", asked, mark)))
        {
            var text = await ReadAsync(answer);
            Assert.Contains("get_weather", text, StringComparison.Ordinal);
            Assert.Contains("\"finish_reason\":\"tool_calls\"", text, StringComparison.Ordinal);
        }

        // Llama streams no tools: the whole answer is asked for, and streamed on.
        Assert.Equal(streamed, Assert.Single(CallsOf(mark)).Streamed);
        var results = $$"""
            {"model":"{{model}}",{{Tools}}"messages":[{"role":"user","content":"weather in Rome and Bern {{mark}}"},
            {"role":"assistant","content":"","tool_calls":[{"id":"functions.get_weather:0","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Rome\"}"} },{"id":"call_2","type":"function","function":{"name":"get_weather","arguments":""} }]},
            {"role":"tool","tool_call_id":"call_2","content":"second"},{"role":"tool","tool_call_id":"functions.get_weather:0","content":"first"}]}
            """;
        var said = await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/chat/completions", results);
        Assert.Equal("The tools said: first | second", said.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Theory]
    [InlineData("/v1/chat/completions", Claude, true, true)]
    [InlineData("/v1/messages", Nova, true, false)]
    [InlineData("/v1/stream", Llama, true, false)]
    [InlineData("/v1/chat/completions", Llama, false, true)]
    [InlineData("/v1/chat/completions", Endpoint, true, true)]
    public async Task A_client_that_leaves_is_booked_what_the_whole_answer_costs(string route, string model, bool stream, bool reset)
    {
        var mark = Mark();
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync(RawConnection.Post(route, platform.Server.Options.AdminKey, Samples.Chat(route, $"[[slow:tokens=60:ms=20]] {mark}", stream, model), $"x-penstock-conversation: {mark}\r\n"));
        if (stream) await connection.ReadUntilAsync(" w5");
        else await platform.Upstream.Seen.WaitForAsync(seen => seen.BodyText.Contains(mark, StringComparison.Ordinal) && seen.Model is not null, Soon, Wait.Token);
        if (reset) connection.Reset();
        else connection.Dispose();

        var row = await RowAsync(mark);
        var call = Assert.Single(CallsOf(mark));
        Assert.Equal(SeenOutcome.Answered, call.Outcome);
        Assert.Equal(60, call.Billed.Output);
        AssertBooked(row, call, "client_gone", estimated: false);
    }

    [Fact]
    public async Task A_client_that_leaves_an_answer_without_end_is_booked_at_the_ceiling()
    {
        var mark = Mark();
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        var body = $$"""{"model":"{{Llama}}","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"[[slow:tokens=60:ms=20]][[cut:after=30]] {{mark}}"}]}""";
        await connection.SendAsync(RawConnection.Post("/v1/chat/completions", platform.Server.Options.AdminKey, body, $"x-penstock-conversation: {mark}\r\n"));
        await connection.ReadUntilAsync(" w5");
        connection.Reset();
        var row = await RowAsync(mark);
        Assert.True(row.Estimated);
        // 500 tokens at 0.99 USD a million, and the bound of the input on top.
        Assert.True(row.Cost >= 0.000495m, $"{row}");
    }

    [Theory]
    [InlineData("[[status:429:retry-after=7]]", false, 429, "rate_limit_exceeded", 7)]
    [InlineData("[[status:429:retry-after=7]]", true, 429, "rate_limit_exceeded", 7)]
    [InlineData("[[status:503]]", false, 503, "provider_overloaded", null)]
    [InlineData("[[status:500]]", true, 502, "provider_failed", null)]
    [InlineData("[[status:424]]", false, 502, "provider_failed", null)]
    [InlineData("[[status:408]]", false, 504, "provider_timed_out", null)]
    [InlineData("[[status:403]]", false, 502, "provider_unauthorized", null)]
    [InlineData("[[status:404]]", false, 404, "model_not_found", null)]
    [InlineData("[[status:400]]", false, 400, "ValidationException", null)]
    [InlineData("[[insufficient_quota]]", false, 502, "provider_quota_spent", null)]
    [InlineData("[[insufficient_quota:400]]", true, 502, "provider_quota_spent", null)]
    [InlineData("[[error-in-stream:throttlingException:after=0]]", true, 429, "rate_limit_exceeded", 1)]
    [InlineData("[[error-in-stream:serviceUnavailableException:after=0]]", true, 503, "provider_overloaded", null)]
    [InlineData("[[error-in-stream:internalServerException:after=0]]", true, 502, "provider_failed", null)]
    [InlineData("[[error-in-stream:modelStreamErrorException:after=0]]", true, 502, "provider_failed", null)]
    [InlineData("[[error-in-stream:validationException:after=0]]", true, 400, "ValidationException", null)]
    [InlineData("[[malformed-chunk:after=0]]", true, 502, "provider_failed", null)]
    [InlineData("[[cut-eof:after=0]]", true, 502, "provider_cut_short", null)]
    public async Task A_failure_is_told_as_what_it_is(string marker, bool stream, int status, string code, int? retryAfter)
    {
        using var answer = await platform.Admin.SendAsync(HttpMethod.Post, "/v1/chat/completions", Samples.Chat("/v1/chat/completions", $"{marker} hello", stream, Claude));
        var text = await answer.Content.ReadAsStringAsync(Wait.Token);
        Assert.Equal((status, true), ((int)answer.StatusCode, text.Contains($"\"{code}\"", StringComparison.Ordinal)));
        Assert.Equal(retryAfter, (int?)answer.Headers.RetryAfter?.Delta?.TotalSeconds);
    }

    [Theory]
    [InlineData("[[cut-eof:after=2]]", "provider_cut_short")]
    [InlineData("[[no-usage]]", "provider_cut_short")]
    [InlineData("[[slow:ms=50]][[cut:after=2]]", "provider_cut_short")]
    [InlineData("[[malformed-chunk:after=2]]", "provider_failed")]
    [InlineData("[[error-in-stream:throttlingException:after=2]]", "rate_limit_exceeded")]
    public async Task A_stream_that_fails_behind_its_first_text_ends_with_an_error_and_is_booked_at_the_ceiling(string marker, string code)
    {
        var mark = Mark();
        using (var answer = await platform.Admin.SendAsync(Request("/v1/chat/completions", Samples.Chat("/v1/chat/completions", $"{marker} one two three four five {mark}", stream: true, Claude), mark)))
        {
            var text = await answer.Content.ReadAsStringAsync(Wait.Token);
            Assert.Contains($"\"{code}\"", text, StringComparison.Ordinal);
            Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
        }

        var (row, call) = (await RowAsync(mark), Assert.Single(CallsOf(mark)));
        Assert.True(row.Estimated && row.Cost > CostOf(call), $"{row}");
    }

    [Theory]
    [InlineData(Claude, "\"n\":2", "n")]
    [InlineData(Claude, "\"seed\":7", "seed")]
    [InlineData(Claude, "\"logprobs\":true", "logprobs")]
    [InlineData(Claude, "\"temperature\":1.5", "temperature")]
    [InlineData(Claude, "\"frequency_penalty\":0.5", "frequency_penalty")]
    [InlineData(Claude, "\"logit_bias\":{\"42\":1}", "logit_bias")]
    [InlineData(Llama, "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\",\"schema\":{\"type\":\"object\"}}}", "response_format")]
    [InlineData(Llama, "\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"t\"}}]", "tool_choice")]
    public async Task What_has_no_counterpart_is_refused_by_name_and_nothing_is_called(string model, string field, string name)
    {
        var mark = Mark();
        using var answer = await platform.Admin.SendAsync(HttpMethod.Post, "/v1/chat/completions", $$"""{"model":"{{model}}",{{field}},"messages":[{"role":"user","content":"{{mark}}"}]}""");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains($"'{name}' cannot be sent", await answer.Content.ReadAsStringAsync(Wait.Token), StringComparison.Ordinal);
        Assert.Empty(CallsOf(mark));
    }

    [Fact]
    public async Task A_key_of_the_callers_own_is_a_bearer_token_at_bedrock_and_nothing_at_sagemaker()
    {
        var mark = Mark();
        Assert.Equal(HttpStatusCode.OK, await WithKeyAsync(Nova));
        Assert.Equal($"Bearer {UpstreamServer.AwsToken}", Assert.Single(CallsOf(mark)).Headers["authorization"]);
        Assert.Equal(0, (await RowAsync(mark)).Cost);
        Assert.Equal(HttpStatusCode.BadRequest, await WithKeyAsync(Endpoint));

        async Task<HttpStatusCode> WithKeyAsync(string model)
        {
            var request = Request("/v1/complete", Samples.Chat("/v1/complete", mark, model: model), mark);
            request.Headers.Add("x-penstock-provider-key", UpstreamServer.AwsToken);
            using var answer = await platform.Admin.SendAsync(request);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_model_that_is_named_by_an_arn_is_found()
    {
        const string Arn = "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.meta.llama3-1-70b-instruct-v1:0";
        var mark = Mark();
        await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/complete", Samples.Chat("/v1/complete", mark, model: $"bedrock/{Arn}"));
        Assert.Equal(Arn, Assert.Single(CallsOf(mark)).Model);
    }

    [Fact]
    public async Task A_tiers_cap_is_lowered_to_what_its_model_can_write()
    {
        var mark = Mark();
        await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/complete", Samples.Chat("/v1/complete", mark, model: "reasoning"));
        using var body = JsonDocument.Parse(Assert.Single(CallsOf(mark)).Body);
        Assert.Equal(2_048, body.RootElement.GetProperty("inferenceConfig").GetProperty("maxTokens").GetInt32());
    }

    [Fact]
    public async Task Embeddings_of_several_texts_are_one_attempt()
    {
        var mark = Mark();
        using var answer = await platform.Admin.SendAsync(Request("/v1/embeddings", $$"""{"model":"amazon.titan-embed-text-v2:0","dimensions":256,"encoding_format":"float","input":["a b {{mark}}","c","d e f"]}""", mark));
        using var json = JsonDocument.Parse(await ReadAsync(answer));
        Assert.Equal([256, 256, 256], json.RootElement.GetProperty("data").EnumerateArray().Select(item => item.GetProperty("embedding").GetArrayLength()));
        Assert.Equal(7, json.RootElement.GetProperty("usage").GetProperty("prompt_tokens").GetInt64());
    }

    [Fact]
    public async Task A_bearer_token_lets_in_without_a_signature_and_a_wrong_secret_does_not()
    {
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        var bearer = new Dictionary<string, string?>
        {
            ["AWS_REGION"] = "eu-central-1", ["AWS_BEARER_TOKEN_BEDROCK"] = UpstreamServer.AwsToken, ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = upstream.BaseUrl,
        };
        Assert.Equal(HttpStatusCode.OK, await AskAsync(bearer));
        Assert.Equal($"Bearer {UpstreamServer.AwsToken}", Assert.Single(upstream.Seen.All()).Headers["authorization"]);
        Assert.Equal(HttpStatusCode.BadGateway, await AskAsync(ServerOptions.ReachingAws(upstream, "another/secret+of+forty+characters/00000")));

        async Task<HttpStatusCode> AskAsync(IReadOnlyDictionary<string, string?> environment)
        {
            await using var server = await ServerProcess.StartAsync(new ServerOptions { Environment = environment });
            using var admin = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);
            using var answer = await admin.PostAsync("/v1/complete", Samples.Chat("/v1/complete", "hello", model: Nova));
            return answer.StatusCode;
        }
    }

    /// <summary>The stand-in is as strict as Bedrock: what is written for one maker is refused at another.</summary>
    [Theory]
    [InlineData(Llama, "invoke", """{"anthropic_version":"bedrock-2023-05-31","max_tokens":10,"messages":[{"role":"user","content":"hello"}]}""", "required key [prompt] not found")]
    [InlineData(Llama, "invoke", """{"prompt":"hello","max_tokens":10}""", "extraneous key [max_tokens]")]
    [InlineData(Llama, "converse", """{"anthropic_version":"bedrock-2023-05-31","max_tokens":10,"messages":[{"role":"user","content":"hello"}]}""", "extraneous key [anthropic_version]")]
    [InlineData(Llama, "converse", """{"messages":[{"role":"user","content":[{"text":"a"}]}],"additionalModelRequestFields":{"top_k":5}}""", "extraneous key [top_k]")]
    [InlineData("anthropic.claude-haiku-4-5-20251001-v1:0", "converse", """{"messages":[{"role":"user","content":[{"text":"a"}]}]}""", "on-demand throughput")]
    [InlineData(Nova, "converse", """{"messages":[{"role":"user","content":[{"text":" "}]}]}""", "is blank")]
    [InlineData(Nova, "converse", """{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"user","content":[{"text":"b"}]}]}""", "alternate")]
    public async Task A_body_of_another_maker_is_refused_by_the_stand_in(string model, string operation, string body, string why)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{platform.Upstream.BaseUrl}/model/{Uri.EscapeDataString(model)}/{operation}") { Content = Api.Body(body) };
        request.Headers.Authorization = new("Bearer", UpstreamServer.AwsToken);
        using var answer = await http.SendAsync(request, Wait.Token);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.StartsWith("ValidationException", answer.Headers.GetValues("x-amzn-errortype").Single(), StringComparison.Ordinal);
        Assert.Contains(why, await answer.Content.ReadAsStringAsync(Wait.Token), StringComparison.Ordinal);
    }

    private static string Mark() => Guid.NewGuid().ToString("N");

    private static HttpRequestMessage Request(string route, string json, string mark)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, route) { Content = Api.Body(json) };
        request.Headers.Add("x-penstock-conversation", mark);
        return request;
    }

    private static async Task<string> ReadAsync(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync(Wait.Token);
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode} {text}");
        return text;
    }

    private SeenCall[] CallsOf(string mark) => [.. platform.Upstream.Seen.All().Where(call => call.BodyText.Contains(mark, StringComparison.Ordinal))];

    private async Task<Entry> RowAsync(string mark)
    {
        Entry[] rows = [];
        await Wait.UntilAsync(async () => (rows = [.. (await Entry.AllAsync(platform.Admin)).Where(row => row.Conversation == mark)]).Length > 0, Soon, () => "the call is booked");
        return Assert.Single(rows);
    }

    private static void AssertBooked(Entry row, SeenCall call, string outcome, bool estimated)
    {
        Assert.Equal((outcome, estimated), (row.Outcome, row.Estimated));
        Assert.Equal((call.Billed.Input, call.Billed.TotalOutput), (row.Input, row.Output + row.Reasoning));
        Assert.Equal(CostOf(call), row.Cost);
    }

    /// <summary>USD, rounded up to the nano-dollar; prices in USD per million tokens.</summary>
    private static decimal CostOf(SeenCall call)
    {
        var (input, output) = call.Model switch
        {
            Claude => (1.1m, 5.5m),
            Llama => (0.99m, 0.99m),
            Mistral => (3m, 9m),
            Nova => (0.06m, 0.24m),
            _ => (1m, 2m),
        };
        return decimal.Ceiling(((call.Billed.Input * input) + (call.Billed.TotalOutput * output)) * 1_000) / 1_000_000_000;
    }
}
