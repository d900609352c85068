using System.Text;
using System.Text.Json;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Load;

internal enum Leaving
{
    Stays,
    BeforeHeaders,
    AfterHeaders,
    AfterBytes,
}

/// <summary>One call of a mixed load: which dialect to which provider, what goes wrong there, and when the client leaves.</summary>
/// <param name="Amount">Milliseconds before a client leaves that waits for headers; bytes it reads first where it leaves later.</param>
internal sealed record PlannedCall(int Number, string Path, string Model, bool Stream, string Marker, Leaving Leaving, int Amount)
{
    private static readonly string[] Paths = ["/v1/chat/completions", "/v1/messages", "/v1/complete", "/v1/stream"];
    private static readonly string[] Models = ["gpt-4o-mini", "claude-haiku-4-5"];

    private static readonly string[] Failures =
    [
        "[[status:400]]", "[[status:401]]", "[[status:403]]", "[[status:404]]", "[[status:413]]", "[[status:429:retry-after=1]]", "[[status:500]]", "[[status:502:html]]", "[[status:503]]", "[[status:529]]",
        "[[insufficient_quota]]", "[[error-in-stream:after=0]]", "[[error-in-stream:after=3]]", "[[error-in-stream]]", "[[malformed-chunk:after=2]]", "[[cut:after=3]]", "[[cut]]", "[[cut:after=0]]", "[[cut-eof]]", "[[cut-eof:after=2]]",
    ];

    private static readonly string[] Oddities =
        ["[[unknown-event]]", "[[no-usage]]", "[[zero-usage]]", "[[cached:100]]", "[[reasoning:50]]", "[[silent:20]]", "[[silent:20:after=2]]", "[[huge:200000]]", "[[slow:tokens=20:ms=1]]", "[[think]]", "[[refuse]]", "[[filter]]", "[[bare-delta]]"];

    private static readonly string[] Long = ["[[slow:tokens=60:ms=5]]", "[[slow:tokens=30:ms=2]]", "[[huge:400000]]", "[[silent:200]]", "[[silent:200:after=2]]", "[[cut:after=9]]", ""];

    public static PlannedCall Roll(int number, Dice dice)
    {
        var path = dice.Pick(Paths);
        var stream = path == "/v1/stream" || (path != "/v1/complete" ? dice.Percent(60) : dice.Percent(30));
        var leaving = dice.Percent(75) ? Leaving.Stays : dice.Pick(Leaving.BeforeHeaders, Leaving.AfterHeaders, Leaving.AfterBytes);
        var marker = leaving != Leaving.Stays ? dice.Pick(Long) : dice.Percent(45) ? "" : dice.Percent(50) ? dice.Pick(Failures) : dice.Pick(Oddities);
        return new PlannedCall(number, path, dice.Pick(Models), stream, marker, leaving, dice.Below(leaving == Leaving.BeforeHeaders ? 60 : 6_000));
    }

    public byte[] Body()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("model", Model);
            if (Path == "/v1/messages") json.WriteNumber("max_tokens", 500);
            if (Stream && Path != "/v1/stream") json.WriteBoolean("stream", true);
            json.WriteStartArray("messages");
            json.WriteStartObject();
            json.WriteString("role", "user");
            json.WriteString("content", $"{Marker} call number {Number} of a load with some words to count");
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    public override string ToString() => $"#{Number} {Path} {Model}{(Stream ? " stream" : "")} {Marker} {Leaving}";
}

/// <summary>What the client saw of it.</summary>
/// <param name="Request">The <c>x-request-id</c>, null where the client left before it came.</param>
/// <param name="Whole">True where the client read to the end.</param>
internal sealed record CallResult(PlannedCall Call, string? Request, int Status, bool Whole, string Text)
{
    public static async Task<CallResult> OfAsync(PlannedCall call, Api api)
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Wait.Token);
        if (call.Leaving == Leaving.BeforeHeaders) leave.CancelAfter(call.Amount);
        var request = new HttpRequestMessage(HttpMethod.Post, call.Path) { Content = Api.Body(call.Body()) };
        try
        {
            using var answer = await api.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
            var (text, whole) = await ReadAsync(answer, call, leave.Token);
            return new CallResult(call, answer.Headers.GetValues("x-request-id").Single(), (int)answer.StatusCode, whole, text);
        }
        catch (OperationCanceledException) when (!Wait.Token.IsCancellationRequested && leave.IsCancellationRequested)
        {
            return new CallResult(call, null, 0, false, "");
        }
    }

    private static async Task<(string Text, bool Whole)> ReadAsync(HttpResponseMessage answer, PlannedCall call, CancellationToken ct)
    {
        if (call.Leaving == Leaving.AfterHeaders) return ("", false);
        await using var body = await answer.Content.ReadAsStreamAsync(ct);
        var limit = call.Leaving == Leaving.AfterBytes ? call.Amount : int.MaxValue;
        var read = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (read.Length < limit)
        {
            var count = await body.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, limit - (int)read.Length)), ct);
            if (count == 0) return (Encoding.UTF8.GetString(read.GetBuffer(), 0, (int)read.Length), true);
            read.Write(buffer, 0, count);
        }

        return ("", false);
    }
}
