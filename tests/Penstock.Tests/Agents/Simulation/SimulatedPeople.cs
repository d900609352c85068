using System.Globalization;
using System.Text.Json;
using Penstock.Agents;
using Penstock.Contracts;
using Penstock.Kernel;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>Those outside: they approve and deny, some twice; say truthfully what became of calls; tell runs things, cancel them, and send dead ones on.</summary>
internal sealed class SimulatedPeople(SimulatedWorld world, SeededSource chance)
{
    private readonly List<(DateTimeOffset At, Action Do)> _plans = [];
    private readonly Dictionary<RunId, int> _read = [];
    private readonly Dictionary<RunId, (DateTimeOffset At, long Epoch)> _cancelled = [];
    private int _redriven;

    /// <summary>Whether anything is still to come of them.</summary>
    public DateTimeOffset? Next => _plans.Count > 0 ? _plans.Min(plan => plan.At) : null;

    /// <summary>When each was cancelled, and who had it then.</summary>
    public IReadOnlyDictionary<RunId, (DateTimeOffset At, long Epoch)> Cancelled => _cancelled;

    public void Begin(RunId run)
    {
        if (chance.OneIn(4)) Plan(chance.Below(120_000), () => Cancel(run));
        for (var signals = chance.Below(3); signals > 0; signals--)
        {
            var id = string.Create(CultureInfo.InvariantCulture, $"signal:{signals}");
            Plan(chance.Below(60_000), () => Post(run, InboxKinds.Signal, id, """{"id":"s","name":"news","payload":{"n":1}}"""));
        }
    }

    public void Act()
    {
        foreach (var run in world.Store.Runs.ToArray()) Read(run);
        foreach (var plan in _plans.Where(plan => plan.At <= world.Time.GetUtcNow()).OrderBy(plan => plan.At).ToArray())
        {
            _plans.Remove(plan);
            plan.Do();
        }
    }

    /// <summary>A third of the dead are sent on, once or twice.</summary>
    public bool MayRedrive(RunId run)
    {
        if (_redriven >= 2 || !chance.OneIn(3)) return false;
        _redriven++;
        return world.Store.RedriveAsync(world.Tenant, run, world.Time.GetUtcNow(), CancellationToken.None).GetAwaiter().GetResult();
    }

    private void Read(RunId run)
    {
        var entries = world.Store.Written(run);
        for (var at = _read.GetValueOrDefault(run); at < entries.Count; at++)
        {
            var entry = entries[at];
            if (entry.Kind is not (JournalKinds.ApprovalRequested or JournalKinds.ToolUnknown)) continue;
            using var body = JsonDocument.Parse(entry.Body);
            var call = body.RootElement.GetProperty("call").GetString()!;
            // A parent looks after its child all the while that it waits, which takes long where nobody comes for days.
            var certain = !world.Strict && (entry.Kind == JournalKinds.ToolUnknown || body.RootElement.GetProperty("name").GetString() == MachineTools.Escalate);
            if (entry.Kind == JournalKinds.ApprovalRequested) Approve(run, call, certain);
            else if (certain || !chance.OneIn(5)) Plan(chance.Below(300_000), () => Say(run, call));
        }

        _read[run] = entries.Count;
    }

    private void Approve(RunId run, string call, bool certain)
    {
        for (var times = chance.Pick(certain ? 1 : 0, 1, 1, 1, 2); times > 0; times--)
        {
            var approved = chance.OneIn(3) ? "false" : "true";
            Plan(chance.Below(90_000), () => Post(run, InboxKinds.Approval, $"approval:{call}", $$"""{"call":"{{call}}","approved":{{approved}},"by":"a"}"""));
        }
    }

    private void Say(RunId run, string call)
    {
        var key = KeyOf(run, call);
        var done = world.Effects(key) > world.NotDone(key);
        // A run that sees the second word of the same call asked for it a second time: its id is known already, and nothing is added.
        if (Post(run, InboxKinds.Outcome, $"outcome:{call}", $$"""{"call":"{{call}}","done":{{(done ? "true" : "false")}},"by":"a"}""") == Posted.Added && !done) world.SaidNotDone(key);
    }

    private string KeyOf(RunId run, string call)
    {
        foreach (var entry in world.Store.Written(run).Where(entry => entry.Kind == JournalKinds.ToolIntent))
        {
            using var body = JsonDocument.Parse(entry.Body);
            if (body.RootElement.GetProperty("call").GetString() == call) return body.RootElement.GetProperty("key").GetString()!;
        }

        throw new InvalidOperationException($"Nobody knows what became of {call}, and it was never begun.");
    }

    private void Cancel(RunId run)
    {
        if (Post(run, InboxKinds.Cancel, "cancel", """{"by":"a"}""") == Posted.Added) _cancelled[run] = (world.Time.GetUtcNow(), world.Store.EpochOf(run));
    }

    private Posted Post(RunId run, string kind, string id, string body) =>
        world.Store.PostAsync(world.Tenant, run, new InboxItem(id, kind, Now(), body), CancellationToken.None).GetAwaiter().GetResult();

    private void Plan(int milliseconds, Action what) => _plans.Add((world.Time.GetUtcNow() + TimeSpan.FromMilliseconds(milliseconds), what));

    private DateTimeOffset Now() => DateTimeOffset.FromUnixTimeMilliseconds(world.Time.GetUtcNow().ToUnixTimeMilliseconds());
}
