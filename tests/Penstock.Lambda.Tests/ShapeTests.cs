using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Lambda.Events;
using Penstock.Lambda.Http;

namespace Penstock.Lambda.Tests;

/// <summary>Events as AWS writes them, and the answers it wants: each file of Golden is read, and what became of it is compared whole.</summary>
public sealed class ShapeTests
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true };

    public static TheoryData<string> Events => [.. Directory.EnumerateFiles(Folder, "*.event.json").Select(file => Path.GetFileName(file)[..^".event.json".Length]).Order(StringComparer.Ordinal)];

    private static string Folder => Path.Combine(AppContext.BaseDirectory, "Golden");

    [Theory]
    [MemberData(nameof(Events))]
    public void An_event_becomes_the_request_that_was_sent(string name)
    {
        var (shape, root) = Open(name);

        Assert.Equal(Golden(name, "request.txt"), Written(shape.Read(root)));
    }

    [Theory]
    [MemberData(nameof(Events))]
    public async Task An_answer_is_written_as_its_front_wants_it(string name)
    {
        var (shape, root) = Open(name);
        shape.Read(root);
        var answer = new BufferedAnswer(shape);
        IHeaderDictionary headers = new HeaderDictionary();
        headers.ContentType = "application/json; charset=utf-8";
        headers.ContentLength = 15;
        headers.Connection = "close";
        headers["X-Request-Id"] = "req_1";
        headers["Vary"] = new(["Accept", "Origin"]);
        headers.SetCookie = new(["a=1; Path=/", "b=2"]);
        await answer.BeginAsync(201, headers, CancellationToken.None);
        await answer.WriteAsync("{\"said\": \"häl\"}"u8.ToArray(), CancellationToken.None);

        Assert.Equal(Golden(name, "answer.json"), Indent(answer.ToJson()));
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_base64()
    {
        var answer = new BufferedAnswer(HttpApiShape.Url);
        IHeaderDictionary headers = new HeaderDictionary();
        headers.ContentType = "audio/mpeg";
        await answer.BeginAsync(200, headers, CancellationToken.None);
        await answer.WriteAsync(new byte[] { 0xff, 0x00, 0x7f }, CancellationToken.None);

        var root = JsonDocument.Parse(answer.ToJson()).RootElement;
        Assert.Equal(("/wB/", true), (root.GetProperty("body").GetString(), root.GetProperty("isBase64Encoded").GetBoolean()));
    }

    [Fact]
    public async Task An_answer_that_Lambda_would_not_hand_on_is_an_error_that_says_so()
    {
        var answer = new BufferedAnswer(RestShape.Instance);
        await answer.BeginAsync(200, new HeaderDictionary { ["content-type"] = "text/plain" }, CancellationToken.None);
        await answer.WriteAsync(new byte[6 * 1024 * 1024], CancellationToken.None);

        var root = JsonDocument.Parse(answer.ToJson()).RootElement;
        Assert.Equal(502, root.GetProperty("statusCode").GetInt32());
        Assert.Contains("answer_too_large", root.GetProperty("body").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_slash_within_a_segment_stays_encoded_as_a_server_leaves_it()
    {
        var root = JsonDocument.Parse("""{"rawPath":"/v1/a%2Fb/c%20d","requestContext":{"http":{"method":"GET"}}}""").RootElement;

        Assert.Equal("/v1/a%2Fb/c d", HttpApiShape.Api.Read(root).Http.Path);
    }

    [Fact]
    public void Records_are_read_as_what_they_are()
    {
        var message = QueueMessage.Read(Parse("""{"messageId":"m","body":"{}","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:jobs.fifo","attributes":{"ApproximateReceiveCount":"3","MessageGroupId":"t1"}}"""));
        var change = ObjectChange.Read(Parse("""{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"a+b%2Bc%C3%A4","size":7}}}"""));
        var row = TableChange.Read(Parse("""{"eventName":"MODIFY","eventSourceARN":"arn:aws:dynamodb:us-east-1:123456789012:table/keys/stream/2026","dynamodb":{"Keys":{"pk":{"S":"x"}},"SequenceNumber":"111","NewImage":{"pk":{"S":"x"}}}}"""));

        Assert.Equal(new QueueMessage("m", "jobs.fifo", "{}", "t1", 3), message);
        Assert.Equal(new ObjectChange("b", "a b+cä", "ObjectCreated:Put", 7), change);
        Assert.Equal(("keys", "MODIFY", "111"), (row.Table, row.Event, row.Sequence));
        Assert.NotNull(row.Now);
    }

    private static JsonElement Parse(string json) => JsonDocument.Parse(json).RootElement;

    private static (IHttpShape Shape, JsonElement Root) Open(string name)
    {
        var root = Parse(File.ReadAllText(Path.Combine(Folder, $"{name}.event.json")));
        var form = EventForms.Of(root);
        return (Runtime.InvocationAnswers.ShapeOf(form, root) ?? throw new InvalidOperationException($"{name} is {form}."), root);
    }

    private static string Golden(string name, string kind) => File.ReadAllText(Path.Combine(Folder, $"{name}.{kind}")).TrimEnd('\n');

    private static string Written(EventRequest request)
    {
        var text = new StringBuilder();
        var http = request.Http;
        text.Append(http.Method).Append(' ').Append(http.PathBase).Append('|').Append(http.Path).Append('|').Append(http.QueryString).Append('|').Append(http.RawTarget).Append('\n');
        text.Append("from ").Append(request.Address).Append('\n');
        foreach (var (header, values) in http.Headers.OrderBy(pair => pair.Key, StringComparer.OrdinalIgnoreCase))
        {
            foreach (var value in values) text.Append(header.ToLowerInvariant()).Append(": ").Append(value).Append('\n');
        }

        using var reader = new StreamReader(http.Body);
        return text.Append('\n').Append(reader.ReadToEnd()).ToString().TrimEnd('\n');
    }

    private static string Indent(ReadOnlyMemory<byte> json)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, Indented)) JsonDocument.Parse(json).RootElement.WriteTo(writer);
        return Encoding.UTF8.GetString(bytes.ToArray());
    }
}
