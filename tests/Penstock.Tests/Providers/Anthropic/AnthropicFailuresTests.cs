using Penstock.Gateway;
using Xunit;

namespace Penstock.Tests.Providers.Anthropic;

public sealed class AnthropicFailuresTests
{
    private const string AskStream = """{"model":"claude-haiku-4-5","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"q"}]}""";
    private const string AskWhole = """{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"q"}]}""";

    private const string Start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(400, "invalid_request_error", "messages.0: bad", ProviderFault.Rejected)]
    [InlineData(413, "request_too_large", "too large", ProviderFault.Rejected)]
    [InlineData(422, "invalid_request_error", "bad", ProviderFault.Rejected)]
    [InlineData(401, "authentication_error", "invalid x-api-key", ProviderFault.Unauthorized)]
    [InlineData(403, "permission_error", "no", ProviderFault.Unauthorized)]
    [InlineData(404, "not_found_error", "model: claude-none", ProviderFault.ModelUnknown)]
    [InlineData(429, "rate_limit_error", "slow down", ProviderFault.Limited)]
    [InlineData(402, "billing_error", "pay", ProviderFault.QuotaSpent)]
    [InlineData(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", ProviderFault.QuotaSpent)]
    [InlineData(400, "invalid_request_error", "You have reached your specified API usage limits.", ProviderFault.QuotaSpent)]
    [InlineData(500, "api_error", "oops", ProviderFault.Broken)]
    [InlineData(503, "api_error", "oops", ProviderFault.Overloaded)]
    [InlineData(504, "timeout_error", "late", ProviderFault.TimedOut)]
    [InlineData(529, "overloaded_error", "Overloaded", ProviderFault.Overloaded)]
    [InlineData(302, "x", "x", ProviderFault.Broken)]
    public async Task A_status_is_a_fault(int status, string type, string said, ProviderFault fault)
    {
        var failure = await FailAsync(AskWhole, RawUpstream.Json($$$"""{"type":"error","error":{"type":"{{{type}}}","message":"{{{said}}}"},"request_id":"req_x"}""", status, "Retry-After: 17\r\n"));

        Assert.Equal((fault, status, type), (failure.Fault, failure.Status, failure.Code));
        Assert.Equal(TimeSpan.FromSeconds(17), failure.RetryAfter);
        Assert.Contains("'anthropic'", failure.Message, StringComparison.Ordinal);
        Assert.Equal(fault != ProviderFault.Unauthorized, failure.Message.Contains(said, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("overloaded_error", ProviderFault.Overloaded)]
    [InlineData("rate_limit_error", ProviderFault.Limited)]
    [InlineData("api_error", ProviderFault.Broken)]
    [InlineData("timeout_error", ProviderFault.TimedOut)]
    [InlineData("billing_error", ProviderFault.QuotaSpent)]
    [InlineData("authentication_error", ProviderFault.Unauthorized)]
    [InlineData("permission_error", ProviderFault.Unauthorized)]
    [InlineData("not_found_error", ProviderFault.ModelUnknown)]
    [InlineData("invalid_request_error", ProviderFault.Rejected)]
    [InlineData("request_too_large", ProviderFault.Rejected)]
    [InlineData("from_the_future", ProviderFault.Broken)]
    public async Task An_error_inside_a_stream_is_a_fault(string type, ProviderFault fault)
    {
        var failure = await FailAsync(AskStream, RawUpstream.Stream(Start + $"event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{type}\",\"message\":\"m\"}}}}\n\n"));

        Assert.Equal((fault, null, type), (failure.Fault, failure.Status, failure.Code));
    }

    [Fact]
    public async Task An_error_with_a_good_status_is_a_fault() =>
        Assert.Equal(ProviderFault.Overloaded, (await FailAsync(AskWhole, RawUpstream.Json("""{"type":"error","error":{"type":"overloaded_error","message":"m"}}"""))).Fault);

    [Fact]
    public async Task An_error_without_its_event_name_is_a_fault() =>
        Assert.Equal(ProviderFault.Overloaded, (await FailAsync(AskStream, RawUpstream.Stream(Start + "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n"))).Fault);

    [Theory]
    [InlineData("event: content_block_delta\ndata: {\"type\":\"content_block_del\n\n")]
    [InlineData("event: content_block_delta\ndata: [1]\n\n")]
    [InlineData("event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n")]
    [InlineData("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":\"0\",\"delta\":{}}\n\n")]
    [InlineData("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\\ud800\"}}\n\n")]
    [InlineData("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":\"3\"}}\n\n")]
    [InlineData("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"model\":\"b\"}}\n\n")]
    public async Task A_malformed_event_is_the_providers_fault(string malformed) =>
        Assert.Equal(ProviderFault.Broken, (await FailAsync(AskStream, RawUpstream.Stream(Start + malformed))).Fault);

    [Fact]
    public async Task Content_before_the_message_starts_is_the_providers_fault() =>
        Assert.Equal(ProviderFault.Broken, (await FailAsync(AskStream, RawUpstream.Stream("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"))).Fault);

    [Theory]
    [InlineData("")]
    [InlineData("<html>")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"type":"completion","id":"a","model":"b"}""")]
    [InlineData("""{"type":"message","id":"a","model":"b"}""")]
    [InlineData("""{"type":"message","id":"a","model":"b","content":[{"type":"tool_use"}]}""")]
    public async Task A_malformed_answer_is_the_providers_fault(string body) =>
        Assert.Equal(ProviderFault.Broken, (await FailAsync(AskWhole, RawUpstream.Json(body))).Fault);

    [Theory]
    [InlineData("")]
    [InlineData("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n")]
    [InlineData("event: content_block_delta\ndata: {\"type\":\"content_bl")]
    public async Task A_stream_that_ends_before_the_message_is_cut_short(string rest) =>
        Assert.Equal(ProviderFault.CutShort, (await FailAsync(AskStream, RawUpstream.Stream(Start + rest))).Fault);

    [Fact]
    public async Task A_whole_answer_that_ends_early_is_cut_short() =>
        Assert.Equal(ProviderFault.CutShort, (await FailAsync(AskWhole, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"type\":")).Fault);

    [Fact]
    public async Task A_stream_asked_for_and_not_sent_is_the_providers_fault() =>
        Assert.Equal(ProviderFault.Broken, (await FailAsync(AskStream, RawUpstream.Json("""{"type":"message","id":"a","model":"b","content":[]}"""))).Fault);

    [Fact]
    public async Task A_stream_sent_and_not_asked_for_is_the_providers_fault() =>
        Assert.Equal(ProviderFault.Broken, (await FailAsync(AskWhole, RawUpstream.Stream(Start))).Fault);

    [Fact]
    public async Task A_message_holds_no_key_and_no_more_than_a_thousand_characters()
    {
        var failure = await FailAsync(AskWhole, RawUpstream.Json($$$"""{"type":"error","error":{"type":"invalid_request_error","message":"key {{{AnthropicCalls.Key}}} and sk-ant-other-1: {{{new string('x', 5000)}}}"}}""", 400));

        Assert.DoesNotContain("secret_value", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("other-1", failure.Message, StringComparison.Ordinal);
        Assert.InRange(failure.Message.Length, 900, 1000 + "Provider 'anthropic': ".Length);
    }

    [Fact]
    public async Task An_error_that_is_no_JSON_says_the_status_and_nothing_of_the_page()
    {
        var failure = await FailAsync(AskWhole, RawUpstream.Json("<html>internal host 10.0.0.7</html>", 502));

        Assert.Equal((ProviderFault.Broken, "Provider 'anthropic' answered with status 502 and did not say why."), (failure.Fault, failure.Message));
    }

    [Fact]
    public async Task A_date_to_retry_after_counts_from_now() => Assert.Equal(
        TimeSpan.FromSeconds(30),
        (await FailAsync(AskWhole, RawUpstream.Json("{}", 429, "Retry-After: Sat, 21 Nov 2026 12:00:30 GMT\r\n"))).RetryAfter);

    private static async Task<ProviderException> FailAsync(string ask, string answer)
    {
        await using var upstream = RawUpstream.Answering(answer);
        return await Assert.ThrowsAsync<ProviderException>(() => AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromAnthropic(ask), Ct));
    }
}
