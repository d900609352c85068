using System.Collections.Concurrent;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>Tells those in this process who wait for a run that something of it was written. What other processes write is seen by looking.</summary>
internal sealed class RunSignals
{
    private readonly ConcurrentDictionary<RunId, TaskCompletionSource> _waiting = new();
    private TaskCompletionSource _any = New();

    /// <summary>Take it before you read, and wait for it where there was nothing.</summary>
    public Task Next(RunId run) => _waiting.GetOrAdd(run, static _ => New()).Task;

    /// <summary>Completes when any run may want a worker.</summary>
    public Task NextWork => _any.Task;

    /// <summary>Something of this run was written.</summary>
    public void Changed(RunId run)
    {
        if (_waiting.TryRemove(run, out var waiting)) waiting.TrySetResult();
    }

    /// <summary>A run was added, or something came to its inbox.</summary>
    public void Wanted(RunId run)
    {
        Changed(run);
        Interlocked.Exchange(ref _any, New()).TrySetResult();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
