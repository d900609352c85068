using System.Text;
using Microsoft.Extensions.Logging;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>Another owner has the run, or it has ended: nothing that this one does counts any more.</summary>
internal sealed class FencedException(RunId run) : Exception($"Run {run} has another owner now.");

/// <summary>
/// Writes one run's journal, and folds what is written into its state. Those who append at the same time share a write: the results of a hundred calls at once
/// are a few writes and not a hundred.
/// </summary>
internal sealed partial class RunJournal(IRunStore store, RunRecord record, RunState state, RunOwnerParts parts, ILogger log) : IDisposable
{
    /// <summary>UTF-8 bytes of entries in one write.</summary>
    private const int LargestWrite = 1_000_000;

    private const int Page = 1_000;
    private const int Tries = 6;
    private static readonly TimeSpan WriteTime = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _turn = new(1);
    private readonly Queue<Waiting> _waiting = new();

    /// <summary>Folds all of it that there was when the run was acquired.</summary>
    public async Task LoadAsync()
    {
        while (state.NextSeq < record.NextSeq)
        {
            var entries = await store.JournalAsync(record.Tenant, record.Id, state.NextSeq, Page, CancellationToken.None);
            if (entries.Count == 0) throw new InvalidOperationException($"Run {record.Id} has {record.NextSeq} entries, and entry {state.NextSeq} is missing.");
            foreach (var entry in entries) state.Apply(await parts.Bodies.WholeAsync(record, entry, CancellationToken.None));
        }
    }

    /// <summary>Durable, and in the state, when it returns.</summary>
    /// <param name="folded">Ids of inbox items that the entries tell of.</param>
    public async Task AppendAsync(IReadOnlyList<Draft> drafts, RunChange? change = null, IReadOnlyList<string>? folded = null)
    {
        var fitting = new Draft[drafts.Count];
        for (var i = 0; i < drafts.Count; i++) fitting[i] = await parts.Bodies.FitAsync(record, drafts[i]);
        var mine = new Waiting(fitting, change, folded ?? []);
        lock (_waiting) _waiting.Enqueue(mine);
        await _turn.WaitAsync();
        try
        {
            while (!mine.Done.Task.IsCompleted) await WriteNextAsync();
        }
        finally
        {
            _turn.Release();
        }

        await mine.Done.Task;
    }

    public void Dispose() => _turn.Dispose();

    private async Task WriteNextAsync()
    {
        var group = NextGroup();
        try
        {
            foreach (var (drafts, change, folded) in Writes(group)) await WriteAsync(drafts, change, folded);
            foreach (var waiting in group) waiting.Done.SetResult();
        }
        catch (Exception e)
        {
            foreach (var waiting in group) waiting.Done.SetException(e);
        }

        parts.Signals.Changed(record.Id);
    }

    /// <summary>All that wait, up to and with the first that gives the run back: what follows it would come too late.</summary>
    private List<Waiting> NextGroup()
    {
        var group = new List<Waiting>();
        lock (_waiting)
        {
            while (_waiting.TryDequeue(out var next))
            {
                group.Add(next);
                if (next.Change is { Status: not RunStatus.Running }) break;
            }
        }

        return group;
    }

    private static IEnumerable<(List<Draft> Drafts, RunChange? Change, IReadOnlyList<string> Folded)> Writes(List<Waiting> group)
    {
        var (drafts, size) = (new List<Draft>(), 0);
        var folded = group.SelectMany(waiting => waiting.Folded).ToArray();
        foreach (var draft in group.SelectMany(waiting => waiting.Drafts))
        {
            var bytes = Encoding.UTF8.GetByteCount(draft.Body);
            if (drafts.Count == RunAppend.MostEntries || (drafts.Count > 0 && size + bytes > LargestWrite))
            {
                yield return (drafts, null, []);
                (drafts, size) = ([], 0);
            }

            drafts.Add(draft);
            size += bytes;
        }

        yield return (drafts, group.FindLast(waiting => waiting.Change is not null)?.Change, folded);
    }

    /// <summary>A write that failed may have happened: the very same is tried again, which changes nothing then.</summary>
    private async Task WriteAsync(List<Draft> drafts, RunChange? change, IReadOnlyList<string> folded)
    {
        var now = Now();
        var entries = drafts.Select((draft, i) => new JournalEntry(state.NextSeq + i, draft.Kind, now, record.Epoch, draft.Body)).ToList();
        var append = new RunAppend { Tenant = record.Tenant, Run = record.Id, Epoch = record.Epoch, Seq = state.NextSeq, Entries = entries, Folded = folded, Change = change };
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                using var limit = new CancellationTokenSource(WriteTime, parts.Time);
                if (!await store.AppendAsync(append, limit.Token)) throw new FencedException(record.Id);
                break;
            }
            catch (Exception e) when (e is not (FencedException or ArgumentException) && attempt < Tries)
            {
                LogAgain(record.Id, append.Seq, attempt, e);
                await Task.Delay(TimeSpan.FromMilliseconds(50 << attempt), parts.Time);
            }
        }

        for (var i = 0; i < entries.Count; i++) state.Apply(drafts[i].Whole is { } whole ? entries[i] with { Body = whole } : entries[i]);
    }

    private DateTimeOffset Now() => DateTimeOffset.FromUnixTimeMilliseconds(parts.Time.GetUtcNow().ToUnixTimeMilliseconds());

    [LoggerMessage(Level = LogLevel.Warning, Message = "run {Run}: entry {Seq} could not be written at try {Attempt}; it is tried again")]
    private partial void LogAgain(RunId run, long seq, int attempt, Exception e);

    private sealed record Waiting(IReadOnlyList<Draft> Drafts, RunChange? Change, IReadOnlyList<string> Folded)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
