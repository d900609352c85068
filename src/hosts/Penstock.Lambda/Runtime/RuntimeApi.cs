using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Penstock.Lambda.Runtime;

/// <summary>
/// The Lambda Runtime API (<see href="https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"/>): asks for the next event, and hands in its answer.
/// Asking for the next one says that this one is over; the process may be frozen there.
/// </summary>
internal sealed class RuntimeApi(LambdaOptions options) : IDisposable
{
    /// <summary>Largest answer in one piece, in bytes.</summary>
    public const int LargestAnswer = 6 * 1024 * 1024;

    private const string Version = "/2018-06-01/runtime";

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // It answers after as long as there is no event: no time is set.
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false, ActivityHeadersPropagator = null });
    private readonly string _base = $"http://{options.RuntimeApi}{Version}";

    public async Task<Invocation> NextAsync(CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{_base}/invocation/next");
        using var answer = await _http.SendAsync(request, ct);
        answer.EnsureSuccessStatusCode();
        var deadline = long.Parse(Header(answer, "Lambda-Runtime-Deadline-Ms"), CultureInfo.InvariantCulture);
        return new Invocation(Header(answer, "Lambda-Runtime-Aws-Request-Id"), DateTimeOffset.FromUnixTimeMilliseconds(deadline), await answer.Content.ReadAsByteArrayAsync(ct));
    }

    /// <summary>An answer that is larger than Lambda takes becomes an error that says so.</summary>
    public Task RespondAsync(string id, ReadOnlyMemory<byte> answer, CancellationToken ct) => answer.Length <= LargestAnswer
        ? PostAsync($"{_base}/invocation/{id}/response", answer, null, ct)
        : FailAsync(id, "Penstock.AnswerTooLarge", $"The answer has {answer.Length} bytes, and Lambda hands on {LargestAnswer} in one piece.", ct);

    /// <param name="type">For machines, as <c>Penstock.UnknownEvent</c>.</param>
    public Task FailAsync(string id, string type, string message, CancellationToken ct) => PostAsync($"{_base}/invocation/{id}/error", ErrorBody(type, message), type, ct);

    /// <summary>The process will not come to answer anything.</summary>
    public Task FailToStartAsync(string message, CancellationToken ct) => PostAsync($"{_base}/init/error", ErrorBody("Penstock.NotStarted", message), "Penstock.NotStarted", ct);

    /// <summary>Begins an answer that goes out while it is made.</summary>
    public Task<ResponseStream> OpenStreamAsync(string id, CancellationToken ct) => ResponseStream.OpenAsync(options.RuntimeApi, $"{Version}/invocation/{id}/response", ct);

    public void Dispose() => _http.Dispose();

    public static byte[] ErrorBody(string type, string message)
    {
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body, Relaxed))
        {
            json.WriteStartObject();
            json.WriteString("errorType", type);
            json.WriteString("errorMessage", message);
            json.WriteStartArray("stackTrace");
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return body.ToArray();
    }

    private async Task PostAsync(string url, ReadOnlyMemory<byte> body, string? errorType, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (errorType is not null) request.Headers.Add("Lambda-Runtime-Function-Error-Type", errorType);
        using var answer = await _http.SendAsync(request, ct);
        answer.EnsureSuccessStatusCode();
    }

    private static string Header(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) ? values.First() : throw new InvalidDataException($"The Runtime API sent an event without {name}.");
}
