using System.Text.Json;
using Penstock.Lambda.Http;

namespace Penstock.Lambda.Events;

/// <summary>What an event is, by what stands in it: nothing else says it.</summary>
internal enum EventForm
{
    Unknown,
    Warmup,
    HttpApi,
    FunctionUrl,
    Rest,
    Balancer,
    WebSocket,
    Queue,
    Objects,
    Table,
    Bus,
    Tool,
}

internal static class EventForms
{
    private const int MostNamed = 20;
    private const int LongestName = 40;

    public static EventForm Of(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object) return EventForm.Unknown;
        if (root.TryGetProperty("warmup", out var warmup) && warmup.ValueKind == JsonValueKind.True) return EventForm.Warmup;
        if (root.TryGetProperty("penstock", out var ours) && ours.ValueEquals("tool.call")) return EventForm.Tool;
        if (EventParts.Object(root, "requestContext") is { } context) return OfRequest(root, context);
        if (root.TryGetProperty("Records", out var records) && records.ValueKind == JsonValueKind.Array && records.GetArrayLength() > 0) return OfRecords(records[0]);
        return root.TryGetProperty("detail-type", out _) && root.TryGetProperty("source", out _) ? EventForm.Bus : EventForm.Unknown;
    }

    /// <summary>For whoever sent it: what was seen, without its values.</summary>
    public static string Describe(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object) return $"JSON of the kind {root.ValueKind}";
        var source = root.TryGetProperty("Records", out var records) && records.ValueKind == JsonValueKind.Array && records.GetArrayLength() > 0
            ? EventParts.Text(records[0], "eventSource") ?? EventParts.Text(records[0], "EventSource")
            : null;
        if (source is not null) return $"records of '{Short(source)}'";
        var names = root.EnumerateObject().Take(MostNamed).Select(member => $"'{Short(member.Name)}'").ToArray();
        return names.Length == 0 ? "an empty object" : $"an object with {string.Join(", ", names)}";
    }

    private static EventForm OfRequest(JsonElement root, JsonElement context)
    {
        if (EventParts.Object(context, "elb") is not null) return EventForm.Balancer;
        if (context.TryGetProperty("connectionId", out _) && context.TryGetProperty("eventType", out _)) return EventForm.WebSocket;
        if (EventParts.Object(context, "http") is not null) return HttpApiShape.IsUrl(root) ? EventForm.FunctionUrl : EventForm.HttpApi;
        return root.TryGetProperty("httpMethod", out _) ? EventForm.Rest : EventForm.Unknown;
    }

    private static EventForm OfRecords(JsonElement first) => EventParts.Text(first, "eventSource") switch
    {
        "aws:sqs" => EventForm.Queue,
        "aws:s3" => EventForm.Objects,
        "aws:dynamodb" => EventForm.Table,
        _ => EventForm.Unknown,
    };

    private static string Short(string text) => text.Length <= LongestName ? text : text[..LongestName] + "…";
}
