using System.Buffers;
using System.Text;
using System.Text.Json;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Jobs;

/// <summary>On whose account a job runs: its key as it stands when it runs, so that one whose key was revoked is refused.</summary>
internal sealed class JobCallers(KeyRing keys)
{
    /// <summary>Throws 401 where the key is not valid any more.</summary>
    public async ValueTask<Caller> OfAsync(JobRecord job, CancellationToken ct) =>
        job.Authority is { } authority ? new Caller(TokenKey(job, JsonView.Parse(Encoding.UTF8.GetBytes(authority)))) : await keys.FindAsync(job.Tenant, job.Key, ct);

    /// <summary>A token's key is stored nowhere: the job runs with what it allowed. Null for a key that is stored, and is asked anew.</summary>
    public static string? Authority(KeyRecord key)
    {
        if (!key.Hash.IsEmpty) return null;
        var text = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(text, Json.Options))
        {
            json.WriteStartObject();
            json.WriteNumber("scopes", (int)key.Scopes);
            WriteNames(json, "models", key.Models);
            WriteNames(json, "tools", key.Tools);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private static KeyRecord TokenKey(JobRecord job, JsonView authority) => new()
    {
        Tenant = job.Tenant,
        Project = job.Project,
        Id = job.Key,
        Name = job.Key.Value,
        Hash = ReadOnlyMemory<byte>.Empty,
        Scopes = (Scopes)authority.Required("scopes").Whole(),
        CreatedAt = job.CreatedAt,
        Models = [.. authority.Required("models").Items().Select(model => model.Text())],
        Tools = [.. authority.Required("tools").Items().Select(tool => tool.Text())],
    };

    private static void WriteNames(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
