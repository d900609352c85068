using System.Text.Json;
using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>What must hold of every simulation, whatever befell it.</summary>
internal sealed class Verdict(Simulation simulation)
{
    private static readonly TimeSpan CancelHeeded = TimeSpan.FromSeconds(45);

    private readonly SimulatedWorld _world = simulation.World;

    public IReadOnlyList<string> Read()
    {
        foreach (var bug in simulation.Bugs) _world.Wrong(bug);
        var runs = _world.Store.Runs.Select(run => simulation.Database.Runs.GetAsync(_world.Tenant, run, CancellationToken.None).GetAwaiter().GetResult()!).ToArray();
        foreach (var run in runs) ReadRun(run);
        ReadCalls();
        ReadMoney(runs);
        return _world.Wrongs;
    }

    private void ReadRun(RunRecord run)
    {
        var entries = simulation.Database.Runs.JournalAsync(_world.Tenant, run.Id, 0, 100_000, CancellationToken.None).GetAwaiter().GetResult();
        if (!run.Ended || run.EndedAt is null || run.Owner is not null) Wrong(run, $"it is {run.Status}, owned by {run.Owner ?? "nobody"}");
        if (!entries.SequenceEqual(_world.Store.Written(run.Id))) Wrong(run, "its journal is not what was said to be written");
        if (!entries.Select(entry => entry.Seq).SequenceEqual(Enumerable.Range(0, entries.Count).Select(seq => (long)seq)) || run.NextSeq != entries.Count) Wrong(run, "its journal has a gap");
        if (!entries.Select(entry => entry.Epoch).Order().SequenceEqual(entries.Select(entry => entry.Epoch))) Wrong(run, "its epochs go back");
        ReadEnd(run, entries);
        ReadModelCalls(run, entries);
        ReadDecisions(run, entries);
        var (state, again) = (Fold(run, entries), Fold(run, entries));
        if (state is null || again is null) return;
        if (state.Calls.Count > 0) Wrong(run, $"call {state.Calls[0].Id} has no outcome");
        if (state.Steps != run.Steps && run.Status != RunStatus.Dead) Wrong(run, $"its head says {run.Steps} steps, and its journal {state.Steps}");
        if (Shape(state) != Shape(again)) Wrong(run, "its journal folds to two states");
    }

    private RunState? Fold(RunRecord run, IReadOnlyList<JournalEntry> entries)
    {
        var state = new RunState(AgentCatalog.Read);
        try
        {
            foreach (var entry in entries) state.Apply(entry);
            return state;
        }
        catch (InvalidOperationException e)
        {
            Wrong(run, $"its journal cannot be folded: {e.Message}");
            return null;
        }
    }

    private void ReadEnd(RunRecord run, IReadOnlyList<JournalEntry> entries)
    {
        var last = entries[^1];
        if (last.Kind != JournalKinds.Ended) Wrong(run, $"its last entry is {last.Kind}");
        for (var at = 0; at < entries.Count - 1; at++)
            if (entries[at].Kind == JournalKinds.Ended && entries[at + 1].Kind != JournalKinds.Redriven) Wrong(run, $"{entries[at + 1].Kind} stands behind its end");
        if (!simulation.People.Cancelled.TryGetValue(run.Id, out var cancelled) || run.Status is RunStatus.Cancelled or RunStatus.Dead) return;
        // One that was at its end already may have been faster; its owner must have been the one of then.
        if (last.Epoch > cancelled.Epoch || last.At - cancelled.At > CancelHeeded) Wrong(run, $"it was cancelled at {cancelled.At:HH:mm:ss.fff} in epoch {cancelled.Epoch}, and is {run.Status} at {last.At:HH:mm:ss.fff} in epoch {last.Epoch}");
    }

    private void ReadModelCalls(RunRecord run, IReadOnlyList<JournalEntry> entries)
    {
        var answered = entries.Count(entry => entry.Kind is JournalKinds.ModelResult or JournalKinds.ModelFailed or JournalKinds.Summary);
        if (_world.ModelCalls(run.Id) - answered > run.Epoch) Wrong(run, $"{_world.ModelCalls(run.Id)} calls of models, {answered} of them answered, in {run.Epoch} ownerships");
        var results = entries.Where(entry => entry.Kind == JournalKinds.ModelResult).Select(entry => Member(entry, "op")).ToArray();
        if (results.Distinct().Count() < results.Length) Wrong(run, "a step was answered twice");
    }

    /// <summary>A decision counts once, and no call ends twice.</summary>
    private void ReadDecisions(RunRecord run, IReadOnlyList<JournalEntry> entries)
    {
        foreach (var kind in new[] { JournalKinds.ApprovalDecided, JournalKinds.ApprovalRequested, JournalKinds.ChildEnded, JournalKinds.ToolResult, JournalKinds.ChildStarted })
        {
            var calls = entries.Where(entry => entry.Kind == kind).Select(entry => Member(entry, "call")).ToArray();
            if (calls.Distinct().Count() < calls.Length) Wrong(run, $"{kind} stands twice for a call");
        }

        var intents = entries.Where(entry => entry.Kind == JournalKinds.ToolIntent && Member(entry, "name") == "\"sim_asked\"").ToArray();
        foreach (var intent in intents)
        {
            var decided = entries.Where(entry => entry.Kind == JournalKinds.ApprovalDecided && entry.Seq < intent.Seq && Member(entry, "call") == Member(intent, "call")).ToArray();
            if (decided.Length != 1 || Member(decided[0], "approved") != "true") Wrong(run, $"{Member(intent, "call")} was called and not approved");
        }
    }

    private void ReadCalls()
    {
        foreach (var (call, keys) in _world.Keys)
            if (keys.Count > 1) _world.Wrong($"{call} was called under {keys.Count} keys");
        foreach (var key in _world.Acted.Where(_world.IsOnce))
            if (_world.Effects(key) > 1 + _world.NotDone(key)) _world.Wrong($"{key} had its effect {_world.Effects(key)} times, and {_world.NotDone(key)} times somebody said that it had none");
    }

    /// <summary>Each answer is booked once, and no envelope is passed.</summary>
    private void ReadMoney(IReadOnlyList<RunRecord> runs)
    {
        var rows = simulation.Rows();
        foreach (var run in runs)
        {
            var spent = rows.Where(row => row.Run is { } path && (path == run.Path || path.StartsWith(run.Path + "/", StringComparison.Ordinal))).Aggregate(Money.Zero, (sum, row) => sum + row.Cost);
            if (spent > run.Limit) Wrong(run, $"{spent} were spent, and {run.Limit} is its envelope");
            var chats = rows.Where(row => row.Run == run.Path && row.Operation == "chat").ToArray();
            if (chats.Length > _world.ModelCalls(run.Id)) Wrong(run, $"{chats.Length} model calls are booked, and {_world.ModelCalls(run.Id)} were made");
            var answers = _world.Store.Written(run.Id).Count(entry => entry.Kind == JournalKinds.ModelResult);
            if (answers > chats.Length) Wrong(run, $"{answers} answers, and {chats.Length} booked");
        }
    }

    private void Wrong(RunRecord run, string what) => _world.Wrong($"{run.Id}: {what}.");

    private static string Shape(RunState state) =>
        JsonSerializer.Serialize(new[] { state.NextSeq, state.Steps, state.ToolCalls, state.Children, state.Size, state.Messages.Count, (long)(state.Cost.Usd * 1_000_000_000), state.Waited.Ticks, state.SameFailure });

    private static string Member(JournalEntry entry, string name)
    {
        using var body = JsonDocument.Parse(entry.Body);
        return body.RootElement.GetProperty(name).GetRawText();
    }
}
