using System.Globalization;
using System.Text.Json;
using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Upstream;

namespace Penstock.Chaos;

/// <summary>What must hold of every run, whatever was killed.</summary>
internal sealed class Evidence(World world, int steps)
{
    public int LostModelCalls { get; private set; }

    public int UnknownOutcomes { get; private set; }

    /// <summary>No history that the vendor would not take was ever sent.</summary>
    public void CheckHistories() => Assert.DoesNotContain(world.Model.Seen.All(), call => call.Outcome == SeenOutcome.Refused);

    /// <summary>Completed, its journal without a gap, each turn's tools called as the plan has it and with no effect twice.</summary>
    public async Task CheckAsync(IRunStore store, string id, int seed, int kills)
    {
        var run = await store.GetAsync(TenantId.Default, new RunId(id), TestContext.Current.CancellationToken);
        Assert.True(run!.Status == RunStatus.Completed, $"Run {id} of seed {seed} is {run.Status}, error {run.Error}.");
        var journal = await AllAsync(store, run);
        Assert.Equal(Enumerable.Range(0, (int)run.NextSeq), journal.Select(entry => (int)entry.Seq));
        Assert.Equal(journal.Select(entry => entry.Epoch).Order(), journal.Select(entry => entry.Epoch));
        Assert.Single(journal, entry => entry.Kind == JournalNames.Ended);
        Assert.Equal(steps + 1, journal.Count(entry => entry.Kind == JournalNames.ModelResult));
        var lost = journal.Count(entry => entry.Kind == JournalNames.ModelLost);
        Assert.True(lost <= kills, $"Run {id}: {lost} model calls lost by {kills} kills.");
        LostModelCalls += lost;
        UnknownOutcomes += journal.Count(entry => entry.Kind == JournalNames.ToolUnknown);
        Assert.True(journal.Sum(Cost) <= decimal.Parse(Setting.Limit, CultureInfo.InvariantCulture));
        CheckModel(seed, kills);
        CheckTools(seed);
    }

    /// <summary>What a worker was told to be written is there, word for word.</summary>
    public static async Task CheckNotesAsync(IRunStore store, string notes)
    {
        var lines = await File.ReadAllLinesAsync(notes, TestContext.Current.CancellationToken);
        Assert.NotEmpty(lines);
        foreach (var group in lines.Select(line => line.Split(' ')).GroupBy(words => words[0]))
        {
            var run = (await store.GetAsync(TenantId.Default, new RunId(group.Key), TestContext.Current.CancellationToken))!;
            var journal = await AllAsync(store, run);
            foreach (var words in group)
            {
                var entry = journal[int.Parse(words[1], CultureInfo.InvariantCulture)];
                Assert.Equal(string.Join(' ', words[2..]), string.Create(CultureInfo.InvariantCulture, $"{entry.Epoch} {entry.Kind} {Bodies.Hash(entry.Body)}"));
            }
        }
    }

    private void CheckModel(int seed, int kills)
    {
        var asked = Enumerable.Range(0, steps + 1).Select(turn => world.Asked.GetValueOrDefault((seed, turn))).ToArray();
        Assert.All(asked, times => Assert.True(times >= 1));
        Assert.True(asked.Sum() <= steps + 1 + kills, $"Seed {seed}: {asked.Sum()} model calls for {steps + 1} turns and {kills} kills.");
    }

    private void CheckTools(int seed)
    {
        for (var turn = 0; turn < steps; turn++)
        {
            foreach (var (tool, index) in World.Plan(seed, turn))
            {
                Assert.True(world.Happened(tool, seed, turn, index), $"{tool} of seed {seed}, turn {turn} was never called.");
                if (tool == World.Once) Assert.Equal(1, world.Calls(tool, seed, turn, index));
            }
        }
    }

    private static async Task<List<JournalEntry>> AllAsync(IRunStore store, RunRecord run)
    {
        var journal = new List<JournalEntry>();
        while (journal.Count < run.NextSeq) journal.AddRange(await store.JournalAsync(run.Tenant, run.Id, journal.Count, 1_000, TestContext.Current.CancellationToken));
        return journal;
    }

    private static decimal Cost(JournalEntry entry)
    {
        using var body = JsonDocument.Parse(entry.Body);
        return entry.Kind is JournalNames.ModelResult or JournalNames.ToolResult && body.RootElement.TryGetProperty("cost", out var cost) ? cost.GetDecimal() : 0;
    }
}

/// <summary>Kinds of entries, as clients see them.</summary>
internal static class JournalNames
{
    public const string ModelResult = "model.result";
    public const string ModelLost = "model.lost";
    public const string ModelFailed = "model.failed";
    public const string ToolResult = "tool.result";
    public const string ToolUnknown = "tool.unknown";
    public const string Ended = "run.ended";
}
