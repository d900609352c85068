using System.Text;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary>How a run begins: its head, and the entries that are there before a worker has it.</summary>
internal static class RunBeginning
{
    public static IReadOnlyList<JournalEntry> Of(Caller caller, RunOrder order, DateTimeOffset now)
    {
        var started = Started(caller, order);
        if (Encoding.UTF8.GetByteCount(started) > JournalEntry.LargestBody)
            throw new RefusedException(Refusal.Invalid("input", $"'input' and the definition have more than {JournalEntry.LargestBody} bytes together. Give long texts as 'input.{RunDocuments.Member}'."));
        return [new JournalEntry(0, JournalKinds.Started, now, 0, started), .. order.Documents.Select((document, index) => new JournalEntry(index + 1, JournalKinds.Document, now, 0, document))];
    }

    public static RunRecord Head(RunId id, Caller caller, RunOrder order, DateTimeOffset now) => new()
    {
        Tenant = caller.Tenant,
        Id = id,
        Project = caller.Project,
        Key = caller.Key.Id,
        Agent = order.Agent.Name,
        Version = order.Agent.Version,
        Hash = order.Agent.Hash,
        Conversation = order.Request.Conversation,
        EndUser = order.Request.EndUser,
        Path = id.Value,
        Limit = order.Limits.Usd,
        CreatedAt = now,
        WakeAt = now,
    };

    /// <summary>One that goes on from <paramref name="origin"/> on the caller's account: below no run, whatever that one was below.</summary>
    public static RunRecord Head(RunId id, Caller caller, RunRecord origin, DateTimeOffset now) => new()
    {
        Tenant = caller.Tenant,
        Id = id,
        Project = caller.Project,
        Key = caller.Key.Id,
        Agent = origin.Agent,
        Version = origin.Version,
        Hash = origin.Hash,
        Conversation = origin.Conversation,
        EndUser = origin.EndUser,
        Path = id.Value,
        Limit = origin.Limit,
        CreatedAt = now,
        WakeAt = now,
    };

    private static string Started(Caller caller, RunOrder order) => RunJson.Of(json =>
    {
        RunJson.WriteRaw(json, "definition", order.Agent.Text);
        RunJson.WriteRaw(json, "input", RunDocuments.Without(order.Request.Input));
        if (order.Tools is { } tools)
        {
            json.WriteStartArray("tools");
            foreach (var tool in tools) json.WriteStringValue(tool);
            json.WriteEndArray();
        }

        RunJson.WriteOptional(json, "model", order.Model);
        if (order.Request.Limits is not null) RunLimits.Write(json, order.Limits);
        if (Authority(caller.Key) is { } authority) RunJson.WriteRaw(json, "authority", authority);
    });

    /// <summary>A token's key is stored nowhere: the run goes on with what it allowed. Null for a key that is stored, and is asked anew.</summary>
    public static string? Authority(KeyRecord key) => !key.Hash.IsEmpty ? null : RunJson.Of(json =>
    {
        json.WriteNumber("scopes", (int)key.Scopes);
        WriteNames(json, "models", key.Models);
        WriteNames(json, "tools", key.Tools);
    });

    private static void WriteNames(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
