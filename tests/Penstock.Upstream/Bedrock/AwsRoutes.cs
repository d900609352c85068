using Penstock.Upstream.OpenAi;

namespace Penstock.Upstream.Bedrock;

/// <summary><c>POST /model/{id}/…</c> is Bedrock's, <c>POST /endpoints/{name}/…</c> SageMaker's. Ids are read from the path as it came: their slashes are encoded.</summary>
internal static class AwsRoutes
{
    public static Func<Exchange, ReadOnlyMemory<byte>, Task>? Find(HttpRequest request, UpstreamOptions options)
    {
        if (!HttpMethods.IsPost(request.Method) || BedrockVendor.TargetOf(request).Split('/') is not ["", var kind, var encoded, var operation]) return null;
        var name = Uri.UnescapeDataString(encoded);
        return (kind, operation) switch
        {
            ("model", "converse" or "converse-stream") => (exchange, body) => new ChatRoute(new BedrockVendor(options, name, operation == "converse-stream", body), options.Agent).HandleAsync(exchange, body),
            ("model", "invoke") => (exchange, body) => new InvokeRoute(new BedrockVendor(options, name, false, body), name).HandleAsync(exchange, body),
            ("endpoints", "invocations" or "invocations-response-stream") => (exchange, body) =>
                new ChatRoute(new SageMakerVendor(options, name, operation == "invocations-response-stream", body), options.Agent).HandleAsync(exchange, body),
            _ => null,
        };
    }
}

/// <summary>A SageMaker endpoint with a container that speaks OpenAI's dialect; its one model has the endpoint's name.</summary>
internal sealed class SageMakerVendor(UpstreamOptions options, string endpoint, bool stream, ReadOnlyMemory<byte> body) : IVendor
{
    /// <summary>The endpoint that there is.</summary>
    private const string Known = "penstock-chat";

    private readonly OpenAiVendor _container = new([new Model(Known, 100_000)], []);
    private readonly Signatures _signatures = new(options);

    public bool BillsOn => true;

    public string StreamType => EventStream.Type;

    public void Authenticate(HttpRequest request)
    {
        _signatures.Check(request, BedrockVendor.TargetOf(request), body.Span, "sagemaker");
        if (endpoint != Known) throw new VendorRefusal(400, "ValidationError", $"Endpoint {endpoint} of account 000000000000 not found.");
    }

    public Ask Read(System.Text.Json.JsonElement json, HttpRequest request)
    {
        var ask = _container.Read(json, request);
        return ask.Stream == stream ? ask : throw new VendorRefusal(424, "ModelError", "stand-in: 'stream' and the operation do not agree");
    }

    public VendorRefusal NotJson() => _container.NotJson();

    public void AddHeaders(Exchange exchange) => exchange.Http.Response.Headers["x-amzn-RequestId"] = $"sagemaker-{exchange.Number}";

    public void Mark(VendorRefusal refusal, HttpResponse response) => response.Headers["x-amzn-ErrorType"] = refusal.Type is "ValidationError" or "InvalidSignatureException" or "UnrecognizedClientException" ? refusal.Type : "ModelError";

    public byte[] Error(VendorRefusal refusal, int number) => Exchange.Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("Message", refusal.Message);
        json.WriteNumber("OriginalStatusCode", refusal.Status);
        json.WriteEndObject();
    });

    public VendorRefusal Failure(int status, string model) => status switch
    {
        429 => new VendorRefusal(429, "ThrottlingException", "Rate exceeded"),
        503 => new VendorRefusal(503, "ServiceUnavailable", "The service is unavailable."),
        // What a container answers with comes as this, whatever it was.
        _ => new VendorRefusal(424, "ModelError", $"Received server error ({status}) from primary with message \"…\""),
    };

    public VendorRefusal QuotaSpent(Marker marker) => Failure(429, "");

    public byte[] Whole(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) => _container.Whole(ask, answer, usage, exchange);

    public IStreamWriter Stream(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) => new Parts(_container.Stream(ask, answer, usage, exchange));

    /// <summary>The container's bytes in messages that end in the middle of its events.</summary>
    private sealed class Parts(IStreamWriter inner) : IStreamWriter
    {
        public byte[] Start() => Wrap(inner.Start());

        public byte[] Step(Step step) => Wrap(inner.Step(step));

        public byte[] Unknown() => Wrap(inner.Unknown());

        public byte[] Malformed() => Wrap(inner.Malformed());

        public byte[] Error() => EventStream.Exception("ModelStreamError", "ordered by a marker");

        public byte[] End() => Wrap(inner.End());

        private static byte[] Wrap(byte[] bytes) => bytes.Length == 0 ? [] : [.. EventStream.Bytes("PayloadPart", bytes.AsSpan(0, bytes.Length / 2)), .. EventStream.Bytes("PayloadPart", bytes.AsSpan(bytes.Length / 2))];
    }
}
