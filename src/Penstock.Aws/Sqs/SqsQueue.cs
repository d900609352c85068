using System.Globalization;
using System.Text.Json;
using Penstock.Aws.Api;

namespace Penstock.Aws.Sqs;

/// <summary>One queue of SQS and the calls of it that we make. Times are whole seconds, rounded up.</summary>
internal sealed class SqsQueue(AwsClient aws, string url)
{
    /// <summary>What SQS takes in one call.</summary>
    public const int MostAtOnce = 10;

    public async Task SendAsync(string body, string group, TimeSpan delay, CancellationToken ct)
    {
        using var _ = await CallAsync("SendMessage", json =>
        {
            json.WriteString("MessageBody"u8, body);
            // On a standard queue it orders nothing: it says whose turn it is.
            json.WriteString("MessageGroupId"u8, group);
            if (delay > TimeSpan.Zero) json.WriteNumber("DelaySeconds"u8, Seconds(delay));
        }, ct);
    }

    public async Task<IReadOnlyList<SqsMessage>> ReceiveAsync(int most, TimeSpan hidden, TimeSpan wait, CancellationToken ct)
    {
        using var answer = await aws.CallAsync(JsonService.Sqs, "ReceiveMessage", json =>
        {
            json.WriteString("QueueUrl"u8, url);
            json.WriteNumber("MaxNumberOfMessages"u8, most);
            json.WriteNumber("VisibilityTimeout"u8, Seconds(hidden));
            json.WriteNumber("WaitTimeSeconds"u8, Seconds(wait));
            json.WriteStartArray("MessageSystemAttributeNames"u8);
            json.WriteStringValue("ApproximateReceiveCount"u8);
            json.WriteStringValue("SentTimestamp"u8);
            json.WriteEndArray();
        }, ct, waits: wait);
        if (!answer.RootElement.TryGetProperty("Messages"u8, out var messages) || messages.ValueKind != JsonValueKind.Array) return [];
        return [.. messages.EnumerateArray().Select(Read)];
    }

    /// <summary>False where the receipt is no longer good, and where the message was hidden for twelve hours, which is the most that SQS allows.</summary>
    public async Task<bool> HideAsync(string receipt, TimeSpan hidden, CancellationToken ct)
    {
        try
        {
            using var _ = await CallAsync("ChangeMessageVisibility", json =>
            {
                json.WriteString("ReceiptHandle"u8, receipt);
                json.WriteNumber("VisibilityTimeout"u8, Seconds(hidden));
            }, ct);
            return true;
        }
        catch (AwsException e) when (IsStale(e))
        {
            return false;
        }
    }

    public async Task DeleteAsync(string receipt, CancellationToken ct)
    {
        try
        {
            using var _ = await CallAsync("DeleteMessage", json => json.WriteString("ReceiptHandle"u8, receipt), ct);
        }
        catch (AwsException e) when (IsStale(e))
        {
            // It is gone, or another has it and will find its work done.
        }
    }

    private Task<JsonDocument> CallAsync(string operation, Action<Utf8JsonWriter> write, CancellationToken ct) => aws.CallAsync(JsonService.Sqs, operation, json =>
    {
        json.WriteString("QueueUrl"u8, url);
        write(json);
    }, ct);

    private static bool IsStale(AwsException e) =>
        e.Code is "MessageNotInflight" or "ReceiptHandleIsInvalid" || e.Code.StartsWith("InvalidParameterValue", StringComparison.Ordinal);

    private static SqsMessage Read(JsonElement message)
    {
        var known = message.GetProperty("Attributes"u8);
        return new SqsMessage(
            message.GetProperty("Body"u8).GetString() ?? "",
            message.GetProperty("ReceiptHandle"u8).GetString() ?? "",
            int.Parse(known.GetProperty("ApproximateReceiveCount"u8).GetString() ?? "1", CultureInfo.InvariantCulture),
            DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(known.GetProperty("SentTimestamp"u8).GetString() ?? "0", CultureInfo.InvariantCulture)));
    }

    private static int Seconds(TimeSpan time) => (int)Math.Ceiling(time.TotalSeconds);
}

internal sealed record SqsMessage(string Body, string Receipt, int Received, DateTimeOffset Sent);
