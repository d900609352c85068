using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Http;

namespace Penstock.Jobs;

/// <summary>Takes messages, never more at once than may be worked at. A server that stops takes no more, and gives back what it cannot end.</summary>
internal sealed partial class JobWorker(IJobQueue queue, JobRunner runner, JobHooks hooks, JobSection section, Drain drain, ILogger<JobWorker> log) : BackgroundService
{
    private const int MostReceived = 10;
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<JobReceipt, Task> _working = new();
    private TaskCompletionSource _room = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Messages that this server works at now.</summary>
    public int Working => _working.Count;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, drain.Begun);
        while (!leaving.IsCancellationRequested)
        {
            try
            {
                await TakeAsync(leaving.Token);
            }
            catch (OperationCanceledException) when (leaving.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                LogBlind(e);
                await Task.WhenAny(Task.Delay(Look, hooks.Time, leaving.Token));
            }
        }

        await Task.WhenAll(_working.Values);
    }

    private async Task TakeAsync(CancellationToken leaving)
    {
        _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var free = section.Current.Concurrency - _working.Count;
        if (free <= 0)
        {
            // The configuration may change meanwhile.
            await Task.WhenAny(_room.Task, Task.Delay(Look, hooks.Time, leaving));
            return;
        }

        foreach (var job in await queue.ReceiveAsync(Math.Min(free, MostReceived), section.Current.Lease, Wait, leaving)) Begin(job);
    }

    private void Begin(ReceivedJob job)
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _working[job.Receipt] = WorkAsync(job, begun.Task);
        begun.SetResult();
    }

    private async Task WorkAsync(ReceivedJob job, Task begun)
    {
        await begun;
        try
        {
            await HandleAsync(job);
        }
        catch (Exception e)
        {
            // Nothing is lost: the message comes back when its time is over.
            LogFailed(job.Message.Kind, job.Message.Id, e);
        }
        finally
        {
            _working.TryRemove(job.Receipt, out _);
            _room.TrySetResult();
        }
    }

    private Task HandleAsync(ReceivedJob job)
    {
        if (drain.Started) return queue.ExtendAsync(job.Receipt, TimeSpan.Zero, drain.Cut);
        return job.Message.Kind switch
        {
            JobKinds.Request => runner.RunAsync(job, drain.Cut),
            JobKinds.Webhook => hooks.RunAsync(job, drain.Cut),
            _ => queue.BuryAsync(job, "no_handler: this build knows no such kind of message", drain.Cut),
        };
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Messages could not be received; they are asked for again")]
    private partial void LogBlind(Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Kind} of job {Job} could not be handled; its message comes again")]
    private partial void LogFailed(string kind, string job, Exception e);
}
