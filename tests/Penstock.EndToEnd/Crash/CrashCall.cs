using System.Text.Json;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Crash;

/// <summary>One call of the load: a dialect, a provider, a size, and whether its client stays.</summary>
/// <param name="Key">Which of the load's keys.</param>
/// <param name="LeavesAfter">Milliseconds; null where the client stays.</param>
internal sealed record CrashCall(int Number, int Key, string Path, string Model, bool Stream, string Marker, int MaxTokens, int? LeavesAfter)
{
    private static readonly string[] Paths = ["/v1/chat/completions", "/v1/chat/completions", "/v1/messages", "/v1/messages", "/v1/complete", "/v1/stream", "/v1/embeddings"];
    private static readonly string[] Markers = ["", "", "[[slow:tokens=15:ms=4]]", "[[slow:tokens=40:ms=3]]", "[[silent:30]]"];

    public static CrashCall Roll(int number, int keys, Dice dice)
    {
        var path = dice.Pick(Paths);
        var embeds = path == "/v1/embeddings";
        return new CrashCall(
            number,
            dice.Below(keys),
            path,
            embeds ? "text-embedding-3-small" : dice.Pick("gpt-4o-mini", "claude-haiku-4-5"),
            path == "/v1/stream" || (!embeds && path != "/v1/complete" && dice.Percent(60)),
            dice.Pick(Markers),
            50 + dice.Below(250),
            dice.Percent(10) ? dice.Below(60) : null);
    }

    public byte[] Body()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("model", Model);
            if (Path == "/v1/embeddings") json.WriteString("input", $"text number {Number} of a load with some words to embed");
            else WriteChat(json);
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private void WriteChat(Utf8JsonWriter json)
    {
        json.WriteNumber(Path is "/v1/complete" or "/v1/stream" ? "maxTokens" : "max_tokens", MaxTokens);
        if (Stream && Path != "/v1/stream") json.WriteBoolean("stream", true);
        json.WriteStartArray("messages");
        json.WriteStartObject();
        json.WriteString("role", "user");
        json.WriteString("content", $"{Marker} call number {Number} of a load with some words to count");
        json.WriteEndObject();
        json.WriteEndArray();
    }

    /// <summary>Where the end of a stream stands; null for an answer whose length says it.</summary>
    public string? End => !Stream ? null : Path == "/v1/messages" ? "event: message_stop" : "data: [DONE]";
}

internal enum CallFate
{
    /// <summary>The client has the whole answer.</summary>
    Answered,

    /// <summary>402.</summary>
    Refused,

    /// <summary>The client left.</summary>
    Left,

    /// <summary>The connection broke: the server was killed under it, or was not there.</summary>
    Broken,

    /// <summary>503: the server was stopping.</summary>
    Stopping,
}

/// <summary>What the client knows of a call.</summary>
/// <param name="Request">The <c>x-request-id</c>, null where none came.</param>
internal sealed record CrashResult(CrashCall Call, CallFate Fate, string? Request)
{
    public static async Task<CrashResult> OfAsync(CrashCall call, Api api)
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Wait.Token);
        if (call.LeavesAfter is { } after) leave.CancelAfter(after);
        string? id = null;
        try
        {
            using var answer = await api.SendAsync(new HttpRequestMessage(HttpMethod.Post, call.Path) { Content = Api.Body(call.Body()) }, HttpCompletionOption.ResponseHeadersRead, leave.Token);
            id = answer.Headers.GetValues("x-request-id").Single();
            var text = await answer.Content.ReadAsStringAsync(leave.Token);
            return new CrashResult(call, FateOf(call, (int)answer.StatusCode, text), id);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new CrashResult(call, CallFate.Broken, id);
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested && !Wait.Token.IsCancellationRequested)
        {
            return new CrashResult(call, CallFate.Left, id);
        }
    }

    private static CallFate FateOf(CrashCall call, int status, string text)
    {
        switch (status)
        {
            case 200 when call.End is null || text.Contains(call.End, StringComparison.Ordinal): return CallFate.Answered;
            case 402 or 400 when text.Contains("budget_exceeded", StringComparison.Ordinal) || text.Contains("billing_error", StringComparison.Ordinal): return CallFate.Refused;
            case 503 or 529: return CallFate.Stopping;
            default: throw new InvalidOperationException($"{call} answered {status}: {text}");
        }
    }
}
