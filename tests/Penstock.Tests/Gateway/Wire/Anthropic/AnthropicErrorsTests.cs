using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.Anthropic;

public sealed class AnthropicErrorsTests
{
    [Theory]
    [InlineData(RefusalKind.Invalid, 400, "invalid_request_error", true)]
    [InlineData(RefusalKind.Unauthenticated, 401, "authentication_error", true)]
    [InlineData(RefusalKind.Unaffordable, 402, "billing_error", true)]
    [InlineData(RefusalKind.Forbidden, 403, "permission_error", true)]
    [InlineData(RefusalKind.NotFound, 404, "not_found_error", true)]
    [InlineData(RefusalKind.MethodNotAllowed, 405, "invalid_request_error", true)]
    [InlineData(RefusalKind.Conflict, 409, "conflict_error", true)]
    [InlineData(RefusalKind.TooLarge, 413, "request_too_large", true)]
    [InlineData(RefusalKind.UnsupportedMedia, 415, "invalid_request_error", true)]
    [InlineData(RefusalKind.Unprocessable, 422, "invalid_request_error", true)]
    [InlineData(RefusalKind.Limited, 429, "rate_limit_error", false)]
    [InlineData(RefusalKind.Broken, 500, "api_error", true)]
    [InlineData(RefusalKind.ProviderFailed, 502, "api_error", false)]
    [InlineData(RefusalKind.Unavailable, 529, "overloaded_error", false)]
    [InlineData(RefusalKind.ProviderTimedOut, 504, "timeout_error", false)]
    public void Each_refusal_has_Anthropics_status_type_and_headers(RefusalKind kind, int status, string type, bool final)
    {
        var refusal = new Refusal(kind, "some_code", "Say \"why\".");
        var headers = new HeaderDictionary();
        AnthropicErrors.Instance.AddHeaders(refusal, new RequestId("req_1"), headers);
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output)) AnthropicErrors.Instance.Write(refusal, new RequestId("req_1"), json);

        Assert.Equal(status, AnthropicErrors.Instance.StatusOf(refusal));
        Assert.Equal($$$"""{"type":"error","error":{"type":"{{{type}}}","message":"Say \u0022why\u0022."},"request_id":"req_1"}""", Encoding.UTF8.GetString(output.WrittenSpan));
        Assert.Equal("req_1", headers["request-id"]);
        Assert.Equal(final ? "false" : "", headers["x-should-retry"].ToString());
    }
}
