using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.OpenAi;

public sealed class OpenAiErrorsTests
{
    [Theory]
    [InlineData(RefusalKind.Invalid, "invalid_request", "invalid_request_error", "invalid_request", null)]
    [InlineData(RefusalKind.Invalid, "unsupported_by_target", "invalid_request_error", "unsupported_by_target", null)]
    [InlineData(RefusalKind.Unauthenticated, "key_unknown", "authentication_error", "invalid_api_key", null)]
    [InlineData(RefusalKind.Unaffordable, "budget_spent", "insufficient_quota", "budget_exceeded", "false")]
    [InlineData(RefusalKind.Forbidden, "scope_missing", "permission_error", "scope_missing", null)]
    [InlineData(RefusalKind.NotFound, "model_not_found", "invalid_request_error", "model_not_found", null)]
    [InlineData(RefusalKind.TooLarge, "body_too_large", "invalid_request_error", "body_too_large", null)]
    [InlineData(RefusalKind.Conflict, "conflict", "invalid_request_error", "conflict", "false")]
    [InlineData(RefusalKind.Limited, "rate_limited", "rate_limit_exceeded", "rate_limit_exceeded", null)]
    [InlineData(RefusalKind.Broken, "internal", "server_error", "internal", "false")]
    [InlineData(RefusalKind.ProviderFailed, "provider_failed", "server_error", "provider_failed", null)]
    [InlineData(RefusalKind.Unavailable, "draining", "server_error", "draining", null)]
    [InlineData(RefusalKind.ProviderTimedOut, "provider_timed_out", "server_error", "provider_timed_out", null)]
    public void A_refusal_has_the_type_the_code_and_the_retry_header_that_clients_act_on(RefusalKind kind, string code, string type, string shown, string? retry)
    {
        var refusal = new Refusal(kind, code, "What, which and what to do.");
        var headers = new HeaderDictionary();

        OpenAiErrors.Instance.AddHeaders(refusal, new RequestId("req_1"), headers);

        Assert.Equal($$$"""{"error":{"message":"What, which and what to do.","type":"{{{type}}}","param":null,"code":"{{{shown}}}"}}""", Written(refusal));
        Assert.Equal(retry, headers["x-should-retry"].FirstOrDefault());
        Assert.Equal((int)kind, OpenAiErrors.Instance.StatusOf(refusal));
    }

    [Fact]
    public void The_field_is_the_param() =>
        Assert.Contains("\"param\":\"messages[0].role\"", Written(Refusal.Invalid("messages[0].role", "…")));

    [Fact]
    public void The_body_as_a_whole_is_no_param() => Assert.Contains("\"param\":null", Written(Refusal.Invalid("", "The body is empty.")));

    [Theory]
    [InlineData(1.5, "2")]
    [InlineData(20_000, "20000")]
    public void A_wait_is_given_in_milliseconds(double milliseconds, string expected)
    {
        var headers = new HeaderDictionary();

        OpenAiErrors.Instance.AddHeaders(new Refusal(RefusalKind.Limited, "x", "x") { RetryAfter = TimeSpan.FromMilliseconds(milliseconds) }, new RequestId("r"), headers);

        Assert.Equal(expected, headers["retry-after-ms"]);
    }

    private static string Written(Refusal refusal)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, OpenAiChunks.Json)) OpenAiErrors.Instance.Write(refusal, new RequestId("req_1"), json);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
