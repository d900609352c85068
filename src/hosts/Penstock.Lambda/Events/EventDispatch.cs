using System.Buffers;
using System.Text.Json;
using Penstock.Lambda.Http;

namespace Penstock.Lambda.Events;

/// <summary>
/// Gives events that are no requests to whoever takes them. Of a queue's batch only what failed comes back (<c>batchItemFailures</c>, which the event source must
/// be set to report); of a table's stream, all from the first failure on, because its order holds.
/// </summary>
internal sealed partial class EventDispatch(
    IEnumerable<IEventHandler<QueueMessage>> messages, IEnumerable<IEventHandler<ObjectChange>> objects, IEnumerable<IEventHandler<TableChange>> tables, IEnumerable<IEventHandler<BusEvent>> bus, ILogger<EventDispatch> log)
{
    /// <returns>What Lambda is answered.</returns>
    public async Task<ReadOnlyMemory<byte>> AnswerAsync(EventForm form, JsonElement root, CancellationToken over)
    {
        switch (form)
        {
            case EventForm.Queue: return await QueueAsync(root, over);
            case EventForm.Table: return await TableAsync(root, over);
            case EventForm.Objects:
                // Read whole before the first is done: one that is broken sends none of the others twice.
                foreach (var change in Records(root).Select(ObjectChange.Read).ToArray()) await HandleAsync(objects, change, over);
                return "null"u8.ToArray();
            case EventForm.Bus:
                await HandleAsync(bus, BusEvent.Read(root), over);
                return "null"u8.ToArray();
            default: throw Unknown(root);
        }
    }

    public static EventException Unknown(JsonElement root) => new(
        "Penstock.UnknownEvent",
        $"This function does not know the event it was sent: {EventForms.Describe(root)}. It knows requests of API Gateway (REST and HTTP), function URLs and load balancers, records of SQS, S3 and DynamoDB streams, EventBridge's events, and {{\"warmup\": true}}.");

    private async Task<ReadOnlyMemory<byte>> QueueAsync(JsonElement root, CancellationToken over)
    {
        var failed = new List<string>();
        var stuck = new HashSet<string>(StringComparer.Ordinal);
        foreach (var record in Records(root))
        {
            var id = EventParts.Required(record, "messageId");
            var group = EventParts.Text(record, "attributes", "MessageGroupId");
            // Behind one that failed, its group waits: a queue that keeps an order would lose it otherwise.
            var waits = group is not null && stuck.Contains(group);
            if (!waits && await TryAsync(id, () => HandleAsync(messages, QueueMessage.Read(record), over), over)) continue;
            failed.Add(id);
            if (group is not null && EventParts.Required(record, "eventSourceARN").EndsWith(".fifo", StringComparison.Ordinal)) stuck.Add(group);
        }

        return Failures(failed);
    }

    private async Task<ReadOnlyMemory<byte>> TableAsync(JsonElement root, CancellationToken over)
    {
        foreach (var record in Records(root))
        {
            var sequence = EventParts.Required(record, "dynamodb", "SequenceNumber");
            if (!await TryAsync(sequence, () => HandleAsync(tables, TableChange.Read(record), over), over)) return Failures([sequence]);
        }

        return Failures([]);
    }

    /// <summary>One that would begin after the time is over did not begin, and comes back.</summary>
    private async Task<bool> TryAsync(string id, Func<Task> handle, CancellationToken over)
    {
        if (over.IsCancellationRequested) return false;
        try
        {
            await handle();
            return true;
        }
        catch (Exception e)
        {
            LogFailed(id, e);
            return false;
        }
    }

    private static async Task HandleAsync<T>(IEnumerable<IEventHandler<T>> handlers, T happened, CancellationToken over)
        where T : notnull
    {
        var handler = handlers.FirstOrDefault(one => one.Takes(happened)) ?? throw new EventException("Penstock.UnhandledEvent", $"Nothing in this function takes {happened}.");
        await handler.HandleAsync(happened, over);
    }

    private static JsonElement.ArrayEnumerator Records(JsonElement root) => root.GetProperty("Records").EnumerateArray();

    private static ReadOnlyMemory<byte> Failures(List<string> ids)
    {
        var answer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(answer);
        json.WriteStartObject();
        json.WriteStartArray("batchItemFailures");
        foreach (var id in ids)
        {
            json.WriteStartObject();
            json.WriteString("itemIdentifier", id);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return answer.WrittenMemory;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "record {RecordId} was not done, and comes back")]
    private partial void LogFailed(string recordId, Exception e);
}
