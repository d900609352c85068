using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Penstock.Jobs;

namespace Penstock.Aws.Sqs;

/// <summary>
/// A message as it stands in a queue: <c>{"id","tenant","kind"}</c>, and in the dead-letter queue with <c>reason</c>, <c>attempts</c> and <c>at</c>, so that one
/// whom somebody sends back by AWS's own console is read as any other. JSON escapes what SQS would not take.
/// </summary>
internal static class JobBody
{
    /// <summary>What AWS's own redrive policy moved has no reason of ours.</summary>
    private const string NoReason = "SQS moved it: it was received more often than the queue's redrive policy allows.";

    private const int LongestGroup = 128;

    private static readonly SearchValues<char> OfGroup = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");

    public static string Write(JobMessage message) => Write(message, _ => { });

    public static string Write(DeadJob dead) => Write(dead.Message, json =>
    {
        json.WriteString("reason"u8, dead.Reason);
        json.WriteNumber("attempts"u8, dead.Attempts);
        json.WriteNumber("at"u8, dead.At.ToUnixTimeMilliseconds());
    });

    /// <summary>Null where it is none of ours.</summary>
    public static JobMessage? Read(string body) => Parse(body, static json => Message(json));

    /// <summary>Null where it is none of ours.</summary>
    public static DeadJob? ReadDead(string body, int received, DateTimeOffset sent) => Parse(body, json => Message(json) is { } message
        ? new DeadJob(
            message,
            Text(json, "reason") ?? NoReason,
            (int?)Number(json, "attempts", int.MaxValue) ?? received,
            Number(json, "at", DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()) is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : sent)
        : null);

    /// <summary>By which SQS lets tenants take turns (fair queues). A name that SQS would not take is hashed.</summary>
    public static string Group(string tenant) => tenant.Length is > 0 and <= LongestGroup && !tenant.AsSpan().ContainsAnyExcept(OfGroup)
        ? tenant
        : $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(tenant)))}";

    private static string Write(JobMessage message, Action<Utf8JsonWriter> more)
    {
        var body = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("id"u8, message.Id);
            json.WriteString("tenant"u8, message.Tenant);
            json.WriteString("kind"u8, message.Kind);
            more(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(body.WrittenSpan);
    }

    private static T? Parse<T>(string body, Func<JsonElement, T?> read)
        where T : class
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object ? read(json.RootElement) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static JobMessage? Message(JsonElement json) =>
        Text(json, "id") is { } id && Text(json, "tenant") is { } tenant && Text(json, "kind") is { } kind ? new JobMessage(id, tenant, kind) : null;

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? Number(JsonElement json, string name, long most) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= 0 && number <= most ? number : null;
}
