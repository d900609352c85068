using Microsoft.Extensions.Logging;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>
/// This worker's hold on a run. It is renewed while the worker lives; where it could not be for a while, the worker takes itself to have lost it and stops,
/// before anybody else may take it over.
/// </summary>
internal sealed partial class RunLease : IAsyncDisposable
{
    private static readonly TimeSpan LeastLeft = TimeSpan.FromSeconds(8);

    private readonly IRunStore _store;
    private readonly RunRecord _record;
    private readonly AgentOptions _options;
    private readonly RunSignals _signals;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _cancelled = new();
    private readonly CancellationTokenSource _over = new();
    private readonly TaskCompletionSource _ended = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Task _renewing;
    private long _renewedAt;

    /// <param name="acquiredAt">Timestamp of the clock from before the run was acquired.</param>
    public RunLease(IRunStore store, RunRecord record, long acquiredAt, AgentOptions options, RunSignals signals, TimeProvider time, ILogger log)
    {
        (_store, _record, _options, _signals, _time, _log, _renewedAt) = (store, record, options, signals, time, log, acquiredAt);
        if (record.CancelRequested) _cancelled.Cancel();
        _renewing = RenewAllAsync();
    }

    /// <summary>Somebody else may have the run.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Somebody asked for the run's end.</summary>
    public CancellationToken Cancelled => _cancelled.Token;

    /// <summary>
    /// Throws <see cref="FencedException"/> unless nobody else can have the run for some seconds (8, or a quarter of a lease that is short): nothing that costs is
    /// begun by an owner who may be about to lose it.
    /// </summary>
    public async Task EnsureAsync()
    {
        var least = _options.Lease / 4 < LeastLeft ? _options.Lease / 4 : LeastLeft;
        if (Left < least) await RenewAsync();
        if (_lost.IsCancellationRequested || Left < least) throw new FencedException(_record.Id);
    }

    /// <summary>How long nobody else can have the run.</summary>
    private TimeSpan Left => _options.Lease - _time.GetElapsedTime(Volatile.Read(ref _renewedAt));

    public async ValueTask DisposeAsync()
    {
        _ended.SetResult();
        _over.Cancel();
        await _renewing;
        _lost.Dispose();
        _cancelled.Dispose();
        _over.Dispose();
        _turn.Dispose();
    }

    private async Task RenewAllAsync()
    {
        while (!_over.IsCancellationRequested && !_lost.IsCancellationRequested)
        {
            var asked = _signals.NextAsked(_record.Id);
            await Task.WhenAny(asked, _ended.Task, Task.Delay(_options.Renew, _time, _over.Token));
            if (_over.IsCancellationRequested) return;
            await RenewAsync();
        }
    }

    private async Task RenewAsync()
    {
        await _turn.WaitAsync();
        try
        {
            // From before the call: what the store does after it was asked is on its own time.
            var at = _time.GetTimestamp();
            using var limit = new CancellationTokenSource(_options.Renew, _time);
            if (await _store.RenewAsync(_record.Tenant, _record.Id, _record.Epoch, limit.Token) is { } renewed) Renewed(at, renewed);
            else _lost.Cancel();
        }
        catch (Exception e)
        {
            LogNotRenewed(_record.Id, e);
            if (_time.GetElapsedTime(Volatile.Read(ref _renewedAt)) >= _options.Fence) _lost.Cancel();
        }
        finally
        {
            _turn.Release();
        }
    }

    private void Renewed(long at, RunRecord renewed)
    {
        Volatile.Write(ref _renewedAt, at);
        if (renewed.CancelRequested) _cancelled.Cancel();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "run {Run}: its lease could not be renewed")]
    private partial void LogNotRenewed(RunId run, Exception e);
}
