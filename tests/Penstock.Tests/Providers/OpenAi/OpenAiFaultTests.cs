using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Providers.Http;
using Xunit;

namespace Penstock.Tests.Providers.OpenAi;

public sealed class OpenAiFaultTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(400, "{\"error\":{\"message\":\"Bad 'x'.\",\"type\":\"invalid_request_error\",\"param\":\"x\",\"code\":\"invalid_value\"}}", ProviderFault.Rejected, "Bad 'x'.", "invalid_value", "x")]
    [InlineData(400, "{\"error\":{\"message\":\"No such model.\",\"code\":\"model_not_found\"}}", ProviderFault.ModelUnknown, "No such model.", "model_not_found", null)]
    [InlineData(413, "", ProviderFault.Rejected, "Provider 'openai' answered with status 413.", null, null)]
    [InlineData(422, "{\"detail\":\"Unprocessable.\"}", ProviderFault.Rejected, "Unprocessable.", null, null)]
    [InlineData(402, "{\"error\":{\"message\":\"Pay.\"}}", ProviderFault.QuotaSpent, "Pay.", null, null)]
    [InlineData(404, "{\"error\":{\"message\":\"Unknown.\",\"code\":\"model_not_found\",\"param\":null}}", ProviderFault.ModelUnknown, "Unknown.", "model_not_found", null)]
    [InlineData(408, "", ProviderFault.TimedOut, "Provider 'openai' answered with status 408.", null, null)]
    [InlineData(429, "{\"error\":{\"message\":\"Slow down.\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}", ProviderFault.Limited, "Slow down.", "rate_limit_exceeded", null)]
    [InlineData(429, "{\"error\":{\"message\":\"Quota.\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}", ProviderFault.QuotaSpent, "Quota.", "insufficient_quota", null)]
    [InlineData(500, "{\"error\":{\"message\":\"Oops.\",\"type\":\"server_error\",\"code\":null}}", ProviderFault.Broken, "Oops.", null, null)]
    [InlineData(502, "<html><body>Bad gateway</body></html>", ProviderFault.Broken, "Provider 'openai' answered with status 502.", null, null)]
    [InlineData(503, "overloaded, come back later", ProviderFault.Overloaded, "overloaded, come back later", null, null)]
    [InlineData(529, "[{\"error\":{\"message\":\"In a list.\",\"code\":529}}]", ProviderFault.Overloaded, "In a list.", "529", null)]
    [InlineData(504, "{\"error\":\"upstream timed out\"}", ProviderFault.TimedOut, "upstream timed out", null, null)]
    [InlineData(307, "", ProviderFault.Broken, "Provider 'openai' answered with status 307.", null, null)]
    [InlineData(400, "{\"error\":{\"message\":7,\"code\":{},\"param\":[]}}", ProviderFault.Rejected, "Provider 'openai' answered with status 400.", null, null)]
    [InlineData(400, "{\"error\":", ProviderFault.Rejected, "{\"error\":", null, null)]
    [InlineData(400, "{\"message\":\"\\ud800\"}", ProviderFault.Rejected, "\uFFFD", null, null)]
    public async Task A_refusal_of_the_provider_is_told_for_what_it_is(int status, string body, ProviderFault fault, string message, string? code, string? field)
    {
        var failure = await FailAsync(ReplayServer.Json(body, status));

        Assert.Equal((fault, message, status, code, field), (failure.Fault, failure.Message, failure.Status, failure.Code, failure.Field));
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task Refused_credentials_name_the_provider_and_never_show_the_key(int status)
    {
        var failure = await FailAsync(ReplayServer.Json($"{{\"error\":{{\"message\":\"Incorrect API key provided: {OpenAiCalls.Key}.\",\"code\":\"invalid_api_key\"}}}}", status));

        Assert.Equal(ProviderFault.Unauthorized, failure.Fault);
        Assert.Contains("'openai'", failure.Message);
        Assert.DoesNotContain("sk-", failure.ToString());
    }

    [Fact]
    public async Task Whatever_looks_like_a_key_is_masked()
    {
        var failure = await FailAsync(ReplayServer.Json($"{{\"error\":{{\"message\":\"Keys sk-proj-AbC_12*** and gsk_abcdefgh, Bearer abcdef.ghi and {OpenAiCalls.Key}, but risk-free desk-work.\"}}}}", 400));

        Assert.Equal("Keys *** and ***, *** and ***, but risk-free desk-work.", failure.Message);
    }

    [Fact]
    public async Task A_key_of_any_form_is_masked_where_it_is_the_configured_one()
    {
        await using var server = new ReplayServer(ReplayServer.Json("{\"error\":{\"message\":\"Key hunter2hunter2 is odd.\"}}", 400));
        using var connections = new UpstreamConnections();

        var failure = await Assert.ThrowsAsync<ProviderException>(() => OpenAiCalls.FramesAsync(OpenAiCalls.Provider(server.Url, connections, key: "hunter2hunter2"), OpenAiCalls.Hello, Ct));

        Assert.Equal("Key *** is odd.", failure.Message);
    }

    [Fact]
    public async Task A_long_message_is_cut_between_characters()
    {
        var failure = await FailAsync(ReplayServer.Json($"{{\"error\":{{\"message\":\"a{string.Concat(Enumerable.Repeat("😀", 2000))}\"}}}}", 400));

        Assert.InRange(failure.Message.Length, 990, 1000);
        Assert.EndsWith("😀…", failure.Message);
    }

    [Theory]
    [InlineData("Retry-After: 7", 7000)]
    [InlineData("Retry-After: 0.5", 500)]
    [InlineData("retry-after-ms: 250", 250)]
    [InlineData("retry-after-ms: 250\r\nRetry-After: 7", 250)]
    [InlineData("Retry-After: Sat, 21 Nov 2026 12:00:30 GMT", 30_000)]
    [InlineData("Retry-After: 1e300", 86_400_000)]
    [InlineData("Retry-After: 0", null)]
    [InlineData("Retry-After: -4", null)]
    [InlineData("Retry-After: NaN", null)]
    [InlineData("Retry-After: soon", null)]
    [InlineData("Retry-After: Sat, 21 Nov 2026 11:00:00 GMT", null)]
    [InlineData("X-Nothing: 1", null)]
    public async Task How_long_to_wait_is_read_in_every_form(string header, int? milliseconds)
    {
        await using var server = new ReplayServer(ReplayServer.Json("{}", 429, header));
        using var connections = new UpstreamConnections();
        var time = new ManualTime(new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero));

        var failure = await Assert.ThrowsAsync<ProviderException>(() => OpenAiCalls.FramesAsync(OpenAiCalls.Provider(server.Url, connections, time), OpenAiCalls.Hello, Ct));

        Assert.Equal(milliseconds, (int?)failure.RetryAfter?.TotalMilliseconds);
    }

    [Fact]
    public async Task An_error_cut_short_is_still_told_by_its_status()
    {
        var failure = await FailAsync(async (connection, ct) =>
        {
            await connection.WriteAsync("HTTP/1.1 429 X\r\nContent-Length: 500\r\n\r\n{\"err"u8.ToArray(), ct);
            connection.Close();
        });

        Assert.Equal(ProviderFault.Limited, failure.Fault);
    }

    private static async Task<ProviderException> FailAsync(ReplayServer.Answer answer) =>
        await Assert.ThrowsAsync<ProviderException>(() => OpenAiCalls.FramesAsync(answer, OpenAiCalls.Hello with { Stream = true }, Ct));
}
