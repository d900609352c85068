using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Agents;
using Penstock.Configuration;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Penstock.Tests.Http;
using Penstock.Tools;
using Penstock.Usage;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>
/// Some runs, the workers that carry them on, and all that befalls them, on one thread and a clock that the simulation moves: the same seed is the same story.
/// </summary>
internal sealed class Simulation : IDisposable
{
    private const string Config = """{"routing":{"retries":0,"breaker":"off"}}""";

    /// <summary>Longest that a run may need; people's silence takes three days.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(20);

    private const int MostMoves = 30_000;

    private readonly SeededSource _chance;
    private readonly SimulatedWorld _world;
    private readonly Pump _pump;
    private readonly PlaceTime _time;
    private readonly FaultyRunStore _faulty;
    private readonly ServiceProvider _services;
    private readonly SimulatedPeople _people;
    private readonly LogSink _log = new();
    private readonly List<SimulatedNode> _nodes = [];
    private readonly List<(DateTimeOffset At, Action Do)> _plans = [];
    private int _named;
    private int _moves;

    public Simulation(ulong seed, SimulatedDatabase database)
    {
        _chance = new SeededSource(seed);
        var strict = _chance.OneIn(4);
        var time = new ManualTime(new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero));
        _world = new SimulatedWorld(seed, new TenantId($"sim-{seed}"), time) { Strict = strict };
        _pump = new Pump(_world.Of("pump"));
        _time = new PlaceTime(time);
        _world.Store = new WatchedRunStore(database.Runs, _world);
        _faulty = new FaultyRunStore(_world.Store, seed, new StoreFaults(_chance.Pick(0, 0, 5, 10), _chance.Pick(0, 0, 3, 5), strict ? 20 : _chance.Pick(0, 2, 4), TimeSpan.FromSeconds(strict ? 15 : _chance.Pick(1, 5, 15))), _time);
        _world.Misfortune = new Misfortune(_world.Of("misfortune"), time, _chance.Pick(0, 5, 15, 40), _chance.Pick(1, 3, 6, 12)) { InCallsOnly = strict };
        _people = new SimulatedPeople(_world, _world.Of("people"));
        _services = Services(database, !strict);
        Database = database;
    }

    public SimulatedWorld World => _world;

    public SimulatedDatabase Database { get; }

    public FaultyRunStore Faulty => _faulty;

    public SimulatedPeople People => _people;

    public Pump Pump => _pump;

    /// <summary>A parent's, or its child's: what can go wrong differs.</summary>
    public static string Definition(string name, SeededSource chance, bool hands) => string.Create(CultureInfo.InvariantCulture, $$"""
        apiVersion: v1
        kind: Agent
        name: {{name}}
        version: 1.0.0
        description: Of a simulation.
        model: gpt-4o-mini
        instructions: Go on.
        tools: [sim_pure, sim_keyed, {name: sim_once, retries: 1}, sim_asked, wait, escalate]
        {{(hands ? "agents: [sim-child]" : "")}}
        limits: {usd: {{(chance.OneIn(8) ? "0.02" : "0.5")}}, steps: {{chance.Pick(3, 8, 8, 8)}}, wall: {{chance.Pick("2m", "20m", "20m")}}, children: {{chance.Pick(1, 5)}}}
        approvals: [{tool: sim_asked, expires: {{chance.Pick("30s", "10m")}}, onExpire: {{chance.Pick("approve", "reject")}}}]
        """);

    /// <summary>Until every run has ended; what is wrong stands in <see cref="World"/>.</summary>
    public void Run()
    {
        StartRuns();
        for (var nodes = _world.Strict ? 1 : 1 + _chance.Below(3); nodes > 0; nodes--) StartNode();
        if (_chance.OneIn(4)) _plans.Add((_world.Time.GetUtcNow() + TimeSpan.FromSeconds(_chance.Below(60)), () => _nodes.FirstOrDefault()?.Stop()));
        var end = _world.Time.GetUtcNow() + Longest;
        while (true)
        {
            _pump.Run();
            _people.Act();
            Plan();
            if (Open() is not { Length: > 0 } open) return;
            if (_world.Time.GetUtcNow() > end || ++_moves > MostMoves)
            {
                _world.Wrong($"{Head(open[0])} does not end in {_moves} moves of the clock, at {_world.Store.Written(open[0])[^1]}");
                return;
            }

            Advance(open);
        }
    }

    private void StartRuns()
    {
        for (var count = _world.Strict ? 1 : 1 + _chance.Below(3); count > 0; count--)
        {
            var agent = Definitions.Good(Definition("sim", _chance, hands: !_world.Strict));
            var id = new RunId("run_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{_world.Tenant} {count}")).AsSpan(0, 12)));
            var now = _world.Time.GetUtcNow();
            var run = new RunRecord
            {
                Tenant = _world.Tenant,
                Id = id,
                Project = ProjectId.Default,
                Key = new KeyId(_world.Tenant.Value),
                Agent = agent.Name,
                Version = agent.Version,
                Hash = agent.Hash,
                Path = id.Value,
                Limit = agent.Limits.Usd,
                CreatedAt = now,
                WakeAt = now,
                NextSeq = 1,
            };
            Wait(_world.Store.CreateAsync(run, [new JournalEntry(0, JournalKinds.Started, now, 0, $$"""{"definition":{{agent.Text}},"input":"work {{id}}"}""")], CancellationToken.None));
            _people.Begin(id);
        }
    }

    private void StartNode()
    {
        var place = new Place(_pump, string.Create(CultureInfo.InvariantCulture, $"node {_named++}"));
        SynchronizationContext.SetSynchronizationContext(new Turn(place));
        _nodes.Add(new SimulatedNode(place, _services, new PlacedRunStore(_faulty, place, _world), _time, _services.GetRequiredService<ILoggerFactory>()));
        SynchronizationContext.SetSynchronizationContext(null);
    }

    /// <summary>What is due by now; and another takes the place of one that is gone, after a while.</summary>
    private void Plan()
    {
        foreach (var plan in _plans.Where(plan => plan.At <= _world.Time.GetUtcNow()).ToArray())
        {
            _plans.Remove(plan);
            plan.Do();
        }

        _pump.Run();
        foreach (var gone in _nodes.Where(node => node.Gone).ToArray())
        {
            _nodes.Remove(gone);
            _plans.Add((_world.Time.GetUtcNow() + TimeSpan.FromSeconds(_chance.Below(40)), StartNode));
        }
    }

    /// <summary>Runs that have not ended.</summary>
    private RunId[] Open()
    {
        var open = _world.Store.Runs.Where(run => _world.Store.Written(run)[^1].Kind != JournalKinds.Ended).ToArray();
        return open.Length > 0 ? open : [.. _world.Store.Runs.Where(run => Head(run) is var head && (!head.Ended || (head.Status == RunStatus.Dead && _people.MayRedrive(run))))];
    }

    private RunRecord Head(RunId run) => Wait(_world.Store.GetAsync(_world.Tenant, run, CancellationToken.None))!;

    /// <summary>To the next timer, or to the next thing that somebody means to do.</summary>
    private void Advance(RunId[] open)
    {
        var next = Earliest([_people.Next, .. _plans.Select(plan => (DateTimeOffset?)plan.At)]);
        var timer = _world.Time.NextDue ?? DateTimeOffset.MaxValue;
        // Where all wait and nobody comes, looking each second would take days.
        if (!_world.Store.AnyOwned && open.Select(Head).ToArray() is var heads && heads.All(run => run is { Status: RunStatus.Waiting }))
        {
            var wakes = Earliest(heads.Select(run => run.WakeAt));
            timer = wakes > timer ? wakes : timer;
        }

        _world.Time.Advance((timer < next ? timer : next) - _world.Time.GetUtcNow());
    }

    private static DateTimeOffset Earliest(IEnumerable<DateTimeOffset?> times) => times.Min() ?? DateTimeOffset.MaxValue;

    private ServiceProvider Services(SimulatedDatabase database, bool children)
    {
        var (services, script) = (new ServiceCollection(), new Script());
        services.AddMetrics();
        services.AddLogging(logging => logging.AddProvider(_log).SetMinimumLevel(LogLevel.Error));
        services.AddSingleton<TimeProvider>(_time);
        services.AddPenstock(Sections.Environment([("OPENAI_API_KEY", "sk-upstream"), ("PENSTOCK_ADMIN_KEY", GatewayHost.OperatorKey)]));
        services.AddSingleton<IProviderKind>(new ScriptedKind("openai", Dialect.OpenAi, script));
        services.AddSingleton<IProviderKind>(new ScriptedKind("anthropic", Dialect.Anthropic, script));
        services.AddSingleton<IProviderKind>(new ScriptedKind("local", Dialect.Native, script));
        database.AddTo(services);
        foreach (var (name, effect) in new[] { ("sim_pure", ToolEffect.Pure), ("sim_keyed", ToolEffect.Idempotent), ("sim_once", ToolEffect.Once), ("sim_asked", ToolEffect.Once) })
            services.AddSingleton<ITool>(new SimulatedTool(_world, _time, name, effect));
        script.Chat = new SimulatedModel(_world, _time, children).ChatAsync;
        var provider = services.BuildServiceProvider();
        var read = new ConfigRead(JsonView.Parse(Encoding.UTF8.GetBytes(Config)));
        foreach (var apply in provider.GetServices<IConfigSection>().Where(section => section is not AgentSection).Select(section => section.Read(read)).ToArray()) apply();
        Wait(provider.GetRequiredService<IKeyStore>().AddAsync(new KeyRecord
        {
            Tenant = _world.Tenant,
            Project = ProjectId.Default,
            Id = new KeyId(_world.Tenant.Value),
            Name = "simulation",
            Hash = SHA256.HashData(Encoding.UTF8.GetBytes(_world.Tenant.Value)),
            Scopes = Scopes.RunAgents,
            CreatedAt = _world.Time.GetUtcNow(),
        }, CancellationToken.None));
        return provider;
    }

    public void Dispose()
    {
        foreach (var node in _nodes) node.Dispose();
        _log.Dispose();
    }

    /// <summary>What failed by a bug, in the words of the log.</summary>
    public IEnumerable<string> Bugs => _log.Lines.Where(line => line.Exception is not (null or StoreFaultException or OperationCanceledException)).Select(line => $"{line.Text} {line.Exception}");

    /// <summary>What the ledger says, newest first.</summary>
    public IReadOnlyList<LedgerRow> Rows() => Wait(_services.GetRequiredService<IUsageStore>().ListAsync(_world.Tenant, new UsageQuery(), 10_000, CancellationToken.None));

    /// <summary>It is over already: its store blocks.</summary>
    private static T Wait<T>(Task<T> over) => over.GetAwaiter().GetResult();
}
