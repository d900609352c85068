using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Penstock.Lambda.Runtime;

namespace Penstock.Lambda.Http;

/// <summary>An answer that is handed in when it is whole.</summary>
internal sealed class BufferedAnswer(IHttpShape shape) : IAnswerSink
{
    /// <summary>What stands around a body: headers and the names of members.</summary>
    private const int Around = 64 * 1024;

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly ArrayBufferWriter<byte> _body = new(4096);
    private int _status;
    private IHeaderDictionary _headers = new HeaderDictionary();

    public CancellationToken Gone => CancellationToken.None;

    public Task BeginAsync(int status, IHeaderDictionary headers, CancellationToken ct)
    {
        _status = status;
        _headers = headers;
        return Task.CompletedTask;
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        _body.Write(bytes.Span);
        return ValueTask.CompletedTask;
    }

    /// <summary>The event's answer, or the reason why there can be none.</summary>
    public ReadOnlyMemory<byte> ToJson()
    {
        var answer = Write(_status, _headers, _body.WrittenSpan);
        return answer.Length <= RuntimeApi.LargestAnswer ? answer : Problem(StatusCodes.Status502BadGateway, "answer_too_large", $"The answer has {answer.Length} bytes, and Lambda hands on {RuntimeApi.LargestAnswer} in one piece. Ask a function URL that streams.");
    }

    public ReadOnlyMemory<byte> Problem(int status, string code, string detail)
    {
        IHeaderDictionary headers = new HeaderDictionary();
        headers.ContentType = "application/problem+json";
        if (_headers.TryGetValue("x-request-id", out var id)) headers["x-request-id"] = id;
        var body = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(body, Relaxed))
        {
            json.WriteStartObject();
            json.WriteString("title", Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status));
            json.WriteNumber("status", status);
            json.WriteString("detail", detail);
            json.WriteString("code", code);
            if (id.Count > 0) json.WriteString("request_id", id.ToString());
            json.WriteEndObject();
        }

        return Write(status, headers, body.WrittenSpan);
    }

    private ReadOnlyMemory<byte> Write(int status, IHeaderDictionary headers, ReadOnlySpan<byte> body)
    {
        var answer = new ArrayBufferWriter<byte>(body.Length + Around);
        using var json = new Utf8JsonWriter(answer, Relaxed);
        json.WriteStartObject();
        shape.WriteHead(json, status, headers);
        EventParts.WriteBody(json, headers, body);
        json.WriteEndObject();
        json.Flush();
        return answer.WrittenMemory;
    }
}
