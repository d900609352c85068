using System.Collections.Concurrent;
using System.Globalization;
using Penstock.Agents;
using Xunit;

namespace Penstock.Contracts;

public abstract partial class RunStoreContract
{
    private const int Writers = 64;

    /// <summary>How often each writer has the run; a slow store may ask for less.</summary>
    protected virtual int TurnsOfAWriter => 3;

    /// <summary>Whoever took a run and was overtaken before an answer came may be told that they did not.</summary>
    protected virtual bool LosesAnswers => false;

    /// <summary>
    /// Workers that all take each other for dead, and write on until they are refused. What each was told is what the journal holds: no gap, no number twice,
    /// nothing that was refused, and no entry of an epoch after one of a later. <c>PENSTOCK_PROPERTY_SEED</c> asks for another course.
    /// </summary>
    [Fact(Timeout = 300_000)]
    public async Task The_journal_has_no_gap_and_no_epoch_after_a_later_one_whatever_is_written_at_once()
    {
        var seed = ulong.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_PROPERTY_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var set) ? set : 1;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var run = await CreateAsync(Run("run_1"));
        var told = new ConcurrentQueue<JournalEntry>();

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(i => Task.Run(() => WriteAsync(run, $"w{i}", new SeededSource(seed * 1_000 + (ulong)i), told))));

        var (journal, head) = (await JournalAsync(run), await ReadAsync(run));
        Assert.Equal(Enumerable.Range(0, journal.Length).Select(seq => (long)seq), journal.Select(entry => entry.Seq));
        Assert.Equal(journal.Length, head.NextSeq);
        Assert.Equal(told.OrderBy(entry => entry.Seq), journal.Skip(1));
        Assert.Equal(journal.Select(entry => entry.Epoch).Order(), journal.Select(entry => entry.Epoch));
        TestContext.Current.TestOutputHelper?.WriteLine($"{journal.Length} entries of {journal.Select(entry => entry.Epoch).Distinct().Count()} epochs");
        Assert.True(journal.Length > 20, $"Only {journal.Length} entries were written: nothing was tried.");
        Assert.InRange(head.Epoch, Writers * TurnsOfAWriter, LosesAnswers ? long.MaxValue : Writers * TurnsOfAWriter);
        Assert.True(journal.Select(entry => entry.Epoch).Distinct().Count() > 5, "Hardly anybody was overtaken: nothing was tried.");
    }

    private async Task WriteAsync(RunRecord run, string worker, SeededSource chance, ConcurrentQueue<JournalEntry> told)
    {
        for (var turns = 0; turns < TurnsOfAWriter;)
        {
            // So that others get on for a while.
            for (var i = chance.Below(8); i > 0; i--) await ReadAsync(run);
            if (await _store.AcquireAsync(await ReadAsync(run), worker, true, Ct) is not { } owned) continue;
            turns++;
            for (var seq = owned.NextSeq; await AppendSomeAsync(owned, seq, worker, chance) is { Count: > 0 } entries; seq += entries.Count)
            {
                foreach (var entry in entries) told.Enqueue(entry);
                if (chance.OneIn(4)) break;
            }
        }
    }

    /// <summary>What was written; none where it was refused.</summary>
    private async Task<IReadOnlyList<JournalEntry>> AppendSomeAsync(RunRecord owned, long seq, string worker, SeededSource chance)
    {
        var append = Append(owned, seq, 1 + chance.Below(4), $"{worker} {chance.NextBits()}") with
        {
            Change = chance.OneIn(3) ? new RunChange { Status = RunStatus.Running, Steps = chance.Below(9) } : null,
        };
        var written = await _store.AppendAsync(append, Ct);
        // Whoever did not hear the answer asks again, and hears the same of what was written.
        if (written && chance.OneIn(4)) Assert.True(await _store.AppendAsync(append, Ct));
        if (written && chance.OneIn(8)) await _store.RenewAsync(owned.Tenant, owned.Id, owned.Epoch, Ct);
        return written ? append.Entries : [];
    }
}
