using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary>On whose account a run works: its key as it stands now, so that a run whose key is revoked stops, with the envelopes of the run and of those above it.</summary>
internal sealed class RunCallers(KeyRing keys, IRunStore store)
{
    /// <summary>Throws 401 where the key is not valid any more.</summary>
    public async Task<Caller> OfAsync(RunRecord run, RunState state, CancellationToken ct)
    {
        var caller = state.Authority is { } authority ? new Caller(TokenKey(run, authority)) : await keys.FindAsync(run.Tenant, run.Key, ct);
        return caller with { Run = run.Path, Envelopes = await EnvelopesAsync(run, ct) };
    }

    private async Task<IReadOnlyList<RunEnvelope>> EnvelopesAsync(RunRecord run, CancellationToken ct)
    {
        var envelopes = new List<RunEnvelope>();
        foreach (var id in run.Path.Split('/').Select(id => new RunId(id)))
        {
            var record = id == run.Id ? run : await store.GetAsync(run.Tenant, id, ct) ?? throw new InvalidOperationException($"Run {id} is gone, and {run.Id} below it is not.");
            envelopes.Add(new RunEnvelope(id, record.Limit));
        }

        return envelopes;
    }

    private static KeyRecord TokenKey(RunRecord run, JsonElement authority) => new()
    {
        Tenant = run.Tenant,
        Project = run.Project,
        Id = run.Key,
        Name = run.Key.Value,
        Hash = ReadOnlyMemory<byte>.Empty,
        Scopes = (Scopes)authority.GetProperty("scopes").GetInt32(),
        CreatedAt = run.CreatedAt,
        Models = [.. authority.GetProperty("models").EnumerateArray().Select(model => model.GetString()!)],
        Tools = [.. authority.GetProperty("tools").EnumerateArray().Select(tool => tool.GetString()!)],
    };
}
