using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary>
/// The beginning of a run that goes on from the middle of another: that one's entries before a model call, as they are. Only a call's first attempt will do: before
/// it every call that the model had asked for has its result, so that no provider refuses the history.
/// </summary>
internal sealed class RunFork(RunRecord origin, long from, KeyRecord key, DateTimeOffset now)
{
    /// <summary>Entries and bytes that are copied at most.</summary>
    private const int MostEntries = 20_000;
    private const long MostBytes = 64L * 1024 * 1024;

    private readonly List<JournalEntry> _entries = [];
    private readonly RunTrace _trace = new();
    private JournalEntry? _last;
    private long _bytes;

    public void Add(JournalEntry entry)
    {
        if (_last is not null) Keep(_last);
        _last = entry;
    }

    /// <summary>Throws 400 where there is no whole history before that place.</summary>
    public IReadOnlyList<JournalEntry> Entries()
    {
        if (_last is not { Kind: JournalKinds.ModelIntent } intent || intent.Seq != from || !IsFirst(intent) || _trace.Open.Any())
            throw new RefusedException(Refusal.Invalid("from", $"'from' must be the seq of a model.intent of run '{origin.Id}' whose op is its own seq and before which every call has its result. GET /v1/agents/runs/{origin.Id} shows them as steps of kind model."));
        return _entries;
    }

    private void Keep(JournalEntry entry)
    {
        _bytes += Encoding.UTF8.GetByteCount(entry.Body);
        if (_entries.Count >= MostEntries || _bytes > MostBytes)
            throw new RefusedException(new Refusal(RefusalKind.Unprocessable, "fork_too_large", $"What comes before entry {from} is more than {MostEntries} entries or {MostBytes} bytes. Fork earlier.") { Field = "from" });
        _trace.Add(entry);
        // Neither the costs nor the hours of another run are this one's: epoch 0 and its beginning say that they were there when it was made.
        _entries.Add(entry with { Epoch = 0, At = now, Body = entry.Seq == 0 ? Marked(entry.Body) : entry.Body });
    }

    /// <summary>The first entry, which says where this run comes from, and what whoever forks may do in the place of what the first client might.</summary>
    private string Marked(string body)
    {
        var mark = string.Create(CultureInfo.InvariantCulture, $$"""{"run":"{{origin.Id}}","from":{{from}}}""");
        return Encoding.UTF8.GetString(JsonSplice.Apply(Encoding.UTF8.GetBytes(body), [new("fork", mark), new("authority", RunBeginning.Authority(key))]));
    }

    private static bool IsFirst(JournalEntry intent)
    {
        using var body = JsonDocument.Parse(intent.Body);
        return RunJson.NumberOf(body.RootElement, "op") == intent.Seq;
    }
}
