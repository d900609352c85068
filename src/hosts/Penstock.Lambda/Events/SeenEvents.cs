using System.Globalization;
using System.Text.Json;
using Penstock.Lambda.Http;
using static Penstock.Lambda.Http.EventParts;

namespace Penstock.Lambda.Events;

/// <summary>A message of an SQS queue.</summary>
/// <param name="Group">Of a FIFO queue, whose order holds within it; null in others.</param>
/// <param name="Attempt">How often it was received, this time included.</param>
internal sealed record QueueMessage(string Id, string Queue, string Body, string? Group, int Attempt)
{
    public static QueueMessage Read(JsonElement record) => new(
        Required(record, "messageId"),
        LastOf(Required(record, "eventSourceARN"), ':'),
        Required(record, "body"),
        Text(record, "attributes", "MessageGroupId") is { } group && Required(record, "eventSourceARN").EndsWith(".fifo", StringComparison.Ordinal) ? group : null,
        int.TryParse(Text(record, "attributes", "ApproximateReceiveCount"), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 1);

    public override string ToString() => $"message {Id} of the queue '{Queue}'";

    internal static string LastOf(string text, char mark) => text[(text.LastIndexOf(mark) + 1)..];
}

/// <summary>Something happened to an object in S3.</summary>
/// <param name="Event">As <c>ObjectCreated:Put</c>.</param>
/// <param name="Size">Null where it is gone.</param>
internal sealed record ObjectChange(string Bucket, string Key, string Event, long? Size)
{
    public static ObjectChange Read(JsonElement record)
    {
        var size = Object(record, "s3") is { } s3 && Object(s3, "object") is { } item && item.TryGetProperty("size", out var bytes) && bytes.TryGetInt64(out var known) ? known : (long?)null;
        // A key is encoded as a form's field is.
        return new ObjectChange(Required(record, "s3", "bucket", "name"), Uri.UnescapeDataString(Required(record, "s3", "object", "key").Replace('+', ' ')), Required(record, "eventName"), size);
    }

    public override string ToString() => $"{Event} in the bucket '{Bucket}'";
}

/// <summary>A row of a DynamoDB table changed.</summary>
/// <param name="Event"><c>INSERT</c>, <c>MODIFY</c> or <c>REMOVE</c>.</param>
/// <param name="Keys">In DynamoDB's JSON.</param>
/// <param name="Now">The row as it is; null where it is gone, or the stream does not tell it.</param>
internal sealed record TableChange(string Table, string Event, string Sequence, JsonElement Keys, JsonElement? Now)
{
    public static TableChange Read(JsonElement record)
    {
        var parts = Required(record, "eventSourceARN").Split('/');
        var change = Object(record, "dynamodb") ?? throw EventException.Broken("A record of a table's stream has no 'dynamodb'.");
        var keys = Object(change, "Keys") ?? throw EventException.Broken("A record of a table's stream has no 'dynamodb.Keys'.");
        return new TableChange(parts.Length > 1 ? parts[1] : parts[0], Required(record, "eventName"), Required(change, "SequenceNumber"), keys, Object(change, "NewImage"));
    }

    public override string ToString() => $"{Event} of the table '{Table}'";
}

/// <summary>An event of EventBridge: a schedule's, or of a source.</summary>
internal sealed record BusEvent(string Id, string Source, string DetailType, JsonElement Detail)
{
    public static BusEvent Read(JsonElement root) =>
        new(Required(root, "id"), Required(root, "source"), Required(root, "detail-type"), root.TryGetProperty("detail", out var detail) ? detail : default);

    public override string ToString() => $"'{DetailType}' of '{Source}'";
}
