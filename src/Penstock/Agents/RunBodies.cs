using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Penstock.Blobs;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>
/// Members of entries that are too large for the journal: the entry keeps the beginning, and the whole stands in a blob of the run's, named by its hash. It is put
/// there before the entry is written. Where there is no store for blobs the rest is cut off, and the entry says so.
/// </summary>
/// <param name="store">Null where the server has none.</param>
internal sealed partial class RunBodies(IBlobStore? store, TimeProvider time, ILogger<RunBodies> log)
{
    /// <summary>Longest text of a member that is journaled, in UTF-16 units.</summary>
    private const int LongestOutput = 60_000;

    /// <summary>Of what a model answered, and of what comes of a run.</summary>
    private const int LongestAnswer = 200_000;

    private const int Tries = 6;
    private const string Blobs = "blobs";

    /// <summary>The draft as it is journaled: with what was too large in <see cref="Draft.Whole"/>.</summary>
    public async Task<Draft> FitAsync(RunRecord run, Draft draft)
    {
        if (Largest(draft.Kind) is not var (member, longest) || draft.Body.Length <= LongestOutput) return draft;
        using var parsed = JsonDocument.Parse(draft.Body);
        if (!parsed.RootElement.TryGetProperty(member, out var value)) return draft;
        if (TextOf(value).Length <= longest && Encoding.UTF8.GetByteCount(draft.Body) <= JournalEntry.LargestBody) return draft;
        var body = Encoding.UTF8.GetBytes(value.GetRawText());
        var hash = Convert.ToHexStringLower(SHA256.HashData(body));
        if (store is not null) await PutAsync(run, hash, body);
        var kept = Headed(parsed.RootElement, member, longest, store is null ? null : (hash, body.Length));
        return new Draft(draft.Kind, kept) { Whole = store is null ? null : draft.Body };
    }

    /// <summary>The entry with all that was too large for it. One whose blob is gone stays as it is, cut.</summary>
    public async Task<JournalEntry> WholeAsync(RunRecord run, JournalEntry entry, CancellationToken ct)
    {
        if (store is null || Largest(entry.Kind) is not var (member, _) || !entry.Body.Contains($"\"{Blobs}\":", StringComparison.Ordinal)) return entry;
        using var parsed = JsonDocument.Parse(entry.Body);
        if (HashOf(parsed.RootElement, member) is not { } hash) return entry;
        if (await store.GetAsync(run.Tenant, NameOf(run.Id, hash), ct) is not { } body)
        {
            LogGone(run.Id, entry.Seq);
            return entry;
        }

        return entry with
        {
            Body = RunJson.Of(json =>
            {
                foreach (var one in parsed.RootElement.EnumerateObject().Where(one => one.Name != Blobs))
                {
                    if (one.Name == member) RunJson.WriteRaw(json, member, Encoding.UTF8.GetString(body.Span));
                    else one.WriteTo(json);
                }
            }),
        };
    }

    /// <summary>What an entry of <paramref name="from"/> names is <paramref name="to"/>'s too: each run's bodies go with it.</summary>
    public async Task CopyAsync(RunRecord from, RunId to, IEnumerable<JournalEntry> entries, CancellationToken ct)
    {
        if (store is null) return;
        foreach (var entry in entries.Where(entry => Largest(entry.Kind) is not null && entry.Body.Contains($"\"{Blobs}\":", StringComparison.Ordinal)))
        {
            using var parsed = JsonDocument.Parse(entry.Body);
            if (HashOf(parsed.RootElement, Largest(entry.Kind)!.Value.Member) is not { } hash) continue;
            if (await store.GetAsync(from.Tenant, NameOf(from.Id, hash), ct) is { } body) await store.PutAsync(from.Tenant, NameOf(to, hash), body, ct);
        }
    }

    /// <summary>They go before the run does, so that none is left behind.</summary>
    public Task RemoveAsync(TenantId tenant, RunId run, CancellationToken ct) => store is null ? Task.CompletedTask : store.RemoveAsync(tenant, FolderOf(run), ct);

    /// <summary>The member of an entry that may be large, and how much of it is journaled; null for a kind that has none.</summary>
    private static (string Member, int Longest)? Largest(string kind) => kind switch
    {
        JournalKinds.ToolResult or JournalKinds.OutcomeDecided or JournalKinds.ChildEnded => ("output", LongestOutput),
        JournalKinds.Summary => ("text", LongestOutput),
        JournalKinds.ModelResult => ("text", LongestAnswer),
        JournalKinds.Ended => ("output", LongestAnswer),
        _ => null,
    };

    /// <summary>Under a name that its bytes have: written again after a crash it is the same.</summary>
    private async Task PutAsync(RunRecord run, string hash, ReadOnlyMemory<byte> body)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await store!.PutAsync(run.Tenant, NameOf(run.Id, hash), body, CancellationToken.None);
                return;
            }
            catch (Exception e) when (e is not RefusedException && attempt < Tries)
            {
                LogAgain(run.Id, attempt, e);
                await Task.Delay(TimeSpan.FromMilliseconds(50 << attempt), time);
            }
        }
    }

    /// <summary>With as much of the member as fits, and where the rest is; or that there is none.</summary>
    private static string Headed(JsonElement body, string member, int longest, (string Hash, int Bytes)? blob)
    {
        while (true)
        {
            var headed = RunJson.Of(json =>
            {
                foreach (var one in body.EnumerateObject())
                {
                    if (one.Name == member) json.WriteString(member, Drafts.Cut(TextOf(one.Value), longest));
                    else one.WriteTo(json);
                }

                WriteRest(json, member, blob);
            });
            if (Encoding.UTF8.GetByteCount(headed) <= JournalEntry.LargestBody || longest < 100) return headed;
            longest /= 2;
        }
    }

    private static void WriteRest(Utf8JsonWriter json, string member, (string Hash, int Bytes)? blob)
    {
        if (blob is not var (hash, bytes))
        {
            json.WriteString("cut", member);
            return;
        }

        json.WriteStartObject(Blobs);
        json.WriteStartObject(member);
        json.WriteString("sha256", hash);
        json.WriteNumber("bytes", bytes);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static string? HashOf(JsonElement body, string member) =>
        body.TryGetProperty(Blobs, out var blobs) && blobs.ValueKind == JsonValueKind.Object && blobs.TryGetProperty(member, out var blob) ? RunJson.TextOf(blob, "sha256") : null;

    private static string TextOf(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    private static string FolderOf(RunId run) => $"runs/{run}/";

    private static BlobName NameOf(RunId run, string hash) => new(FolderOf(run) + hash);

    [LoggerMessage(Level = LogLevel.Warning, Message = "run {Run}: a body could not be written at try {Attempt}; it is tried again")]
    private partial void LogAgain(RunId run, int attempt, Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "run {Run}: the body of entry {Seq} is gone; its beginning stands in its place")]
    private partial void LogGone(RunId run, long seq);
}
