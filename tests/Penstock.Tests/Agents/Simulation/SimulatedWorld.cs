using System.Text.Json;
using Penstock.Agents;
using Penstock.Contracts;
using Penstock.Kernel;

namespace Penstock.Tests.Agents.Simulation;

internal sealed class SimulatedWorld(ulong seed, TenantId tenant, ManualTime time)
{
    private const ulong Prime = 0x100000001B3;

    private readonly Dictionary<string, RunId> _inputs = new(StringComparer.Ordinal);
    private readonly Dictionary<RunId, int> _models = [];
    private readonly Dictionary<string, int> _begun = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _effects = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _keys = new(StringComparer.Ordinal);
    private readonly HashSet<string> _once = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _notDone = new(StringComparer.Ordinal);

    public ManualTime Time => time;

    public TenantId Tenant => tenant;

    /// <summary>What must not be and was.</summary>
    public List<string> Wrongs { get; } = [];

    public WatchedRunStore Store { get; set; } = null!;

    public Misfortune Misfortune { get; set; } = null!;

    /// <summary>Whether no process is stopped between its look at a lease and what it does then: a call begun without a lease is its own fault.</summary>
    public bool Strict { get; init; }

    public int ModelCalls(RunId run) => _models.GetValueOrDefault(run);

    public int Effects(string key) => _effects.GetValueOrDefault(key);

    public int NotDone(string key) => _notDone.GetValueOrDefault(key);

    public IReadOnlyDictionary<string, HashSet<string>> Keys => _keys;

    public IEnumerable<string> Acted => _effects.Keys;

    public void Wrong(string what) => Wrongs.Add($"at {time.GetUtcNow():HH:mm:ss.fff}: {what}");

    /// <summary>Chances of one thing, the same whatever came before.</summary>
    public SeededSource Of(string what)
    {
        var hash = seed * Prime;
        foreach (var c in what) hash = (hash ^ c) * Prime;
        return new SeededSource(hash);
    }

    /// <summary>The run that works on an input; no two of a simulation have the same.</summary>
    public RunId RunOf(string input)
    {
        if (_inputs.TryGetValue(input, out var known)) return known;
        foreach (var run in Store.Runs)
        {
            using var started = JsonDocument.Parse(Store.Written(run)[0].Body);
            _inputs[started.RootElement.GetProperty("input").GetString()!] = run;
        }

        return _inputs[input];
    }

    /// <returns>How many were before.</returns>
    public int BeginModel(RunId run)
    {
        var before = ModelCalls(run);
        _models[run] = before + 1;
        var entries = Store.Written(run);
        if (entries.Count(entry => entry.Kind == JournalKinds.ModelIntent) < before + 1) Wrong($"{run}: a model was called without an intent.");
        if (entries[^1].Kind == JournalKinds.Ended) Wrong($"{run}: a model was called behind the end.");
        return before;
    }

    /// <param name="call">The run and its call, as the arguments say.</param>
    public int BeginTool(RunId run, string call, string key)
    {
        var before = _begun.GetValueOrDefault(key);
        _begun[key] = before + 1;
        if (Store.Written(run).Count(entry => entry.Kind == JournalKinds.ToolIntent && entry.Body.Contains(key, StringComparison.Ordinal)) < before + 1) Wrong($"{run}: {call} was called without an intent.");
        if (!_keys.TryGetValue(call, out var keys)) _keys[call] = keys = new HashSet<string>(StringComparer.Ordinal);
        keys.Add(key);
        return before;
    }

    public bool IsOnce(string key) => _once.Contains(key);

    public void Act(string key, bool once)
    {
        if (once) _once.Add(key);
        _effects[key] = Effects(key) + 1;
    }

    public void SaidNotDone(string key) => _notDone[key] = NotDone(key) + 1;
}
