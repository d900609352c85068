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
internal sealed partial class RunJournal(IRunStore store, RunRecord record, RunState state, RunSignals signals, TimeProvider time, ILogger log) : IDisposable
{
    /// <summary>UTF-8 bytes of entries in one write.</summary>
    private const int LargestWrite = 1_000_000;

    private const int Tries = 6;
    private static readonly TimeSpan WriteTime = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _turn = new(1);
    private readonly Queue<Waiting> _waiting = new();

    /// <summary>Durable, and in the state, when it returns.</summary>
    /// <param name="folded">Ids of inbox items that the entries tell of.</param>
    public async Task AppendAsync(IReadOnlyList<Draft> drafts, RunChange? change = null, IReadOnlyList<string>? folded = null)
    {
        var mine = new Waiting(drafts, change, folded ?? []);
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
            foreach (var (entries, change, folded) in Writes(group)) await WriteAsync(entries, change, folded);
            foreach (var waiting in group) waiting.Done.SetResult();
        }
        catch (Exception e)
        {
            foreach (var waiting in group) waiting.Done.SetException(e);
        }

        signals.Changed(record.Id);
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

    private IEnumerable<(List<JournalEntry> Entries, RunChange? Change, IReadOnlyList<string> Folded)> Writes(List<Waiting> group)
    {
        var (entries, size) = (new List<JournalEntry>(), 0);
        var folded = group.SelectMany(waiting => waiting.Folded).ToArray();
        var now = Now();
        foreach (var draft in group.SelectMany(waiting => waiting.Drafts))
        {
            var bytes = Encoding.UTF8.GetByteCount(draft.Body);
            if (entries.Count == RunAppend.MostEntries || (entries.Count > 0 && size + bytes > LargestWrite))
            {
                yield return (entries, null, []);
                (entries, size) = ([], 0);
            }

            entries.Add(new JournalEntry(state.NextSeq + entries.Count, draft.Kind, now, record.Epoch, draft.Body));
            size += bytes;
        }

        yield return (entries, group.FindLast(waiting => waiting.Change is not null)?.Change, folded);
    }

    /// <summary>A write that failed may have happened: the very same is tried again, which changes nothing then.</summary>
    private async Task WriteAsync(List<JournalEntry> entries, RunChange? change, IReadOnlyList<string> folded)
    {
        var append = new RunAppend { Tenant = record.Tenant, Run = record.Id, Epoch = record.Epoch, Seq = state.NextSeq, Entries = entries, Folded = folded, Change = change };
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                using var limit = new CancellationTokenSource(WriteTime, time);
                if (!await store.AppendAsync(append, limit.Token)) throw new FencedException(record.Id);
                break;
            }
            catch (Exception e) when (e is not (FencedException or ArgumentException) && attempt < Tries)
            {
                LogAgain(record.Id, append.Seq, attempt, e);
                await Task.Delay(TimeSpan.FromMilliseconds(50 << attempt), time);
            }
        }

        foreach (var entry in entries) state.Apply(entry);
    }

    private DateTimeOffset Now() => DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());

    [LoggerMessage(Level = LogLevel.Warning, Message = "run {Run}: entry {Seq} could not be written at try {Attempt}; it is tried again")]
    private partial void LogAgain(RunId run, long seq, int attempt, Exception e);

    private sealed record Waiting(IReadOnlyList<Draft> Drafts, RunChange? Change, IReadOnlyList<string> Folded)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
