using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Agents;
using Penstock.Gateway;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tools;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>A worker's process: all that is a worker's own, in a place of its own; the rest of the product it shares with the others.</summary>
internal sealed class SimulatedNode : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();

    public SimulatedNode(Place place, IServiceProvider services, IRunStore store, TimeProvider time, ILoggerFactory logs)
    {
        T The<T>() where T : notnull => services.GetRequiredService<T>();
        Place = place;
        var (catalog, section, signals, requests, box) = (The<AgentCatalog>(), The<AgentSection>(), new RunSignals(TaskCreationOptions.None), The<RunRequests>(), The<ToolBox>());
        var bodies = new RunBodies(null, time, NullLogger<RunBodies>.Instance);
        var children = new ChildRuns(store, bodies, catalog, signals, time);
        var memory = new RunMemory(The<IMemoryStore>(), time);
        var ends = new RunEnds(memory, children, signals, time, NullLogger<RunEnds>.Instance);
        var outcomes = new ToolOutcomes(box, requests, time, NullLogger<ToolOutcomes>.Instance);
        var tools = new ToolStep(box, new ToolCalls(requests, The<ToolRunner>(), memory, outcomes, time), outcomes, children, time);
        var model = new ModelStep(store, The<ChatPipeline>(), requests, box, signals, time);
        var machine = new RunMachine(store, model, tools, new RunCallers(The<KeyRing>(), store), ends, time);
        var owner = new RunOwner(store, machine, ends, section, new RunOwnerParts(bodies, signals, The<Drain>(), The<IdSource>(), time), logs.CreateLogger<RunOwner>());
        var worker = new RunWorker(store, owner, section, signals, time, logs.CreateLogger<RunWorker>());
        place.Start(() => ExecuteAsync(worker, _stopping.Token));
    }

    public Place Place { get; }

    public bool Gone => Place.Dead || _stopping.IsCancellationRequested;

    /// <summary>As a server that is told to: it gives its runs back, and begins nothing.</summary>
    public void Stop() => Place.Post(_ => _stopping.Cancel(), null);

    public void Dispose() => _stopping.Dispose();

    /// <summary>A host starts it on a thread of the pool; here it stays in its place.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "ExecuteAsync")]
    private static extern Task ExecuteAsync(RunWorker worker, CancellationToken stoppingToken);
}
