using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Penstock.Lambda.Runtime;

namespace Penstock.Lambda.Http;

/// <summary>An answer that goes out while it is made: status and headers as JSON, eight zero bytes, and then the body as it comes.</summary>
internal sealed class StreamedAnswer(IHttpShape shape, ResponseStream stream) : IAnswerSink
{
    private const int Gap = 8;

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public CancellationToken Gone => stream.Gone;

    public async Task BeginAsync(int status, IHeaderDictionary headers, CancellationToken ct)
    {
        var prelude = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(prelude, Relaxed))
        {
            json.WriteStartObject();
            shape.WriteHead(json, status, headers);
            json.WriteEndObject();
        }

        prelude.GetSpan(Gap)[..Gap].Clear();
        prelude.Advance(Gap);
        await stream.WriteAsync(prelude.WrittenMemory, ct);
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct) => stream.WriteAsync(bytes, ct);
}
