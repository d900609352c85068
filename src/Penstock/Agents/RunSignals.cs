using System.Collections.Concurrent;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>Tells those in this process who wait for a run that something of it was written. What other processes write is seen by looking.</summary>
/// <param name="how">How those who wait go on: by default on a thread of their own, and not within the call that told them.</param>
internal sealed class RunSignals(TaskCreationOptions how = TaskCreationOptions.RunContinuationsAsynchronously)
{
    private readonly ConcurrentDictionary<RunId, TaskCompletionSource> _waiting = new();
    private readonly ConcurrentDictionary<RunId, TaskCompletionSource> _owned = new();
    private TaskCompletionSource _work = new(how);

    /// <summary>Completes with the next thing that is written for the run. Take it before you read, and wait for it where there was nothing.</summary>
    public Task Next(RunId run) => _waiting.GetOrAdd(run, _ => New()).Task;

    /// <summary>Completes when any run may want a worker. Take it before you look.</summary>
    public Task NextWork => Volatile.Read(ref _work).Task;

    /// <summary>Completes when something came to the inbox of a run that its owner has.</summary>
    public Task NextAsked(RunId run) => _owned.GetOrAdd(run, _ => New()).Task;

    /// <summary>Something of this run was written.</summary>
    public void Changed(RunId run)
    {
        if (_waiting.TryRemove(run, out var waiting)) waiting.TrySetResult();
    }

    /// <summary>A run was added, or something came to its inbox.</summary>
    public void Wanted(RunId run)
    {
        Changed(run);
        if (_owned.TryRemove(run, out var owned)) owned.TrySetResult();
        Interlocked.Exchange(ref _work, New()).TrySetResult();
    }

    /// <summary>This process does not own the run any more.</summary>
    public void Released(RunId run) => _owned.TryRemove(run, out _);

    private TaskCompletionSource New() => new(how);
}
