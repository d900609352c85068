using System.Globalization;
using Penstock.Agents;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>One run, its client and its workers, one call after the other as a seed says: workers die between two calls, come back late, wait, and go on.</summary>
internal sealed class FaultyCourse(IRunStore store, ulong seed, CancellationToken ct)
{
    private const int Steps = 12;
    private static readonly TenantId Acme = new("acme");
    private static readonly DateTimeOffset Start = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);

    private readonly SeededSource _chance = new(seed);
    private readonly RunId _id = new($"run_{seed}");
    private readonly List<string> _posted = [];
    private readonly List<RunRecord> _dead = [];
    private int _workers;

    /// <summary>Writes of workers that came back after another had the run, all refused.</summary>
    public int Refused { get; private set; }

    public async Task RunAsync()
    {
        await CreateAsync();
        while (await AgainAsync(() => store.GetAsync(Acme, _id, ct)) is { Ended: false } run)
        {
            if (_chance.OneIn(3)) await PostAsync();
            // A run that waits goes on when something comes.
            if (run is { Status: RunStatus.Waiting, WakeAt: null }) await PostAsync();
            else if (await AcquireAsync(run) is { } mine) await WorkAsync(mine);
        }
    }

    public async Task CheckAsync(IRunStore calm)
    {
        var run = (await calm.GetAsync(Acme, _id, ct))!;
        var journal = await calm.JournalAsync(Acme, _id, 0, 10_000, ct);
        Assert.Equal((RunStatus.Completed, journal.Count), (run.Status, (int)run.NextSeq));
        Assert.Equal(Enumerable.Range(0, journal.Count).Select(seq => (long)seq), journal.Select(entry => entry.Seq));
        Assert.Equal(Enumerable.Range(0, Steps).Select(Body), journal.Where(entry => entry.Kind == "step").Select(entry => entry.Body));
        var unread = await calm.InboxAsync(Acme, _id, ct);
        Assert.Equal(_posted, [.. journal.Where(entry => entry.Kind == "signal").Select(entry => entry.Body), .. unread.Select(item => item.Id)]);
        Assert.Equal("end", journal[^1].Kind);
    }

    private async Task CreateAsync()
    {
        var run = new RunRecord
        {
            Tenant = Acme, Id = _id, Project = ProjectId.Default, Key = new KeyId("key-1"), Agent = "a", Version = "1", Hash = "h", Path = _id.Value,
            Limit = Money.Zero, CreatedAt = Start, WakeAt = Start,
        };
        await AgainAsync(() => store.CreateAsync(run, [new JournalEntry(0, "run.started", Start, 0, "{}")], ct));
    }

    private async Task PostAsync()
    {
        var id = $"s{_posted.Count.ToString(CultureInfo.InvariantCulture)}";
        var posted = await AgainAsync(() => store.PostAsync(Acme, _id, new InboxItem(id, "signal", Start, "{}"), ct));
        if (posted is Posted.Added or Posted.Again) _posted.Add(id);
    }

    /// <summary>Looks where no answer came: the run may be its own.</summary>
    private async Task<RunRecord?> AcquireAsync(RunRecord seen)
    {
        var worker = $"w{_workers++.ToString(CultureInfo.InvariantCulture)}";
        try
        {
            return await store.AcquireAsync(seen, worker, crashed: seen.Status == RunStatus.Running, ct);
        }
        catch (StoreFaultException)
        {
            var now = await AgainAsync(() => store.GetAsync(Acme, _id, ct));
            return now!.Owner == worker && now.Epoch == seen.Epoch + 1 ? now : null;
        }
    }

    private async Task WorkAsync(RunRecord mine)
    {
        var journal = await AgainAsync(() => store.JournalAsync(Acme, _id, 0, 10_000, ct));
        var (seq, step) = ((long)journal.Count, journal.Count(entry => entry.Kind == "step"));
        while (true)
        {
            if (_chance.OneIn(4)) await ComeBackAsync();
            if (_chance.OneIn(8))
            {
                _dead.Add(mine with { NextSeq = seq });
                return;
            }

            if (_chance.OneIn(5)) await PostAsync();
            var inbox = _chance.OneIn(2) ? await AgainAsync(() => store.InboxAsync(Acme, _id, ct)) : [];
            var change = step == Steps ? Change(RunStatus.Completed) : _chance.OneIn(6) ? Change(RunStatus.Waiting) : null;
            var append = Write(mine, seq, step, inbox, change);
            Assert.True(await AgainAsync(() => store.AppendAsync(append, ct)), $"Its own run was refused at {seq}.");
            if (change is not null) return;
            (seq, step) = (seq + append.Entries.Count, step + 1);
        }
    }

    /// <summary>A worker that was taken for dead goes on as if it were not: with the step it was at, or the run's end.</summary>
    private async Task ComeBackAsync()
    {
        if (_dead.Count == 0) return;
        var stale = _dead[_chance.Below(_dead.Count)];
        var append = Write(stale, stale.NextSeq, 99, [], _chance.OneIn(2) ? Change(RunStatus.Failed) : null);
        Assert.False(await AgainAsync(() => store.AppendAsync(append, ct)), "A stale write was taken.");
        Assert.False(await AgainAsync(() => store.AddChunksAsync(Acme, _id, stale.Epoch, [new RunChunk(stale.NextSeq, 1, Start, "{}")], ct)), "A stale chunk was taken.");
        Refused += 2;
    }

    private RunAppend Write(RunRecord mine, long seq, int step, IReadOnlyList<InboxItem> inbox, RunChange? change)
    {
        IEnumerable<(string Kind, string Body)> told = inbox.Take(RunAppend.MostFolded).Select(item => ("signal", item.Id));
        if (change?.Status is RunStatus.Completed or RunStatus.Failed) told = told.Append(("end", "{}"));
        else if (change is null) told = told.Append(("step", Body(step)));
        var entries = told.Select((one, i) => new JournalEntry(seq + i, one.Kind, Start, mine.Epoch, one.Body)).ToArray();
        return new RunAppend { Tenant = Acme, Run = _id, Epoch = mine.Epoch, Seq = seq, Entries = entries, Folded = [.. inbox.Take(RunAppend.MostFolded).Select(item => item.Id)], Change = change };
    }

    private static RunChange Change(RunStatus status) => new() { Status = status, EndedAt = Start, Now = Start, Steps = 1 };

    private static string Body(int step) => $$"""{"step":{{step}}}""";

    /// <summary>The very same until there is an answer.</summary>
    private static async Task<T> AgainAsync<T>(Func<Task<T>> call)
    {
        while (true)
        {
            try
            {
                return await call();
            }
            catch (StoreFaultException)
            {
                // It may have happened, or not: asking again tells.
            }
        }
    }
}
