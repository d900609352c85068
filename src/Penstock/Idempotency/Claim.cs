using Microsoft.Extensions.Logging;
using Penstock.Kernel;

namespace Penstock.Idempotency;

/// <summary>A name that this request has in the store. Its lease is kept alive until the claim is completed, released or disposed of, which releases it.</summary>
internal sealed partial class Claim : IAsyncDisposable
{
    private readonly IIdempotencyStore _store;
    private readonly RunningRequest _request;
    private readonly TimeProvider _time;
    private readonly ILogger<Claim> _log;
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _renewing;
    private bool _over;

    public Claim(IIdempotencyStore store, RunningRequest request, TimeProvider time, ILogger<Claim> log)
    {
        (_store, _request, _time, _log) = (store, request, time, log);
        _renewing = RenewAsync();
    }

    /// <summary>Stores the answer; frees the name where it is none to keep. Nothing happens where the claim is over.</summary>
    public async Task CompleteAsync()
    {
        if (_over) return;
        if (Answer() is not { } answer)
        {
            await ReleaseAsync();
            return;
        }

        _over = true;
        await WriteAsync(async ct =>
        {
            if (!await _store.CompleteAsync(_request.Name, _request.Owner, answer, _time.GetUtcNow() + Claims.Kept, ct)) LogLost(_request.Name.Key);
        });
    }

    public Task ReleaseAsync()
    {
        if (_over) return Task.CompletedTask;
        _over = true;
        return WriteAsync(ct => _store.ReleaseAsync(_request.Name, _request.Owner, ct));
    }

    public async ValueTask DisposeAsync()
    {
        await ReleaseAsync();
        await _ended.CancelAsync();
        await _renewing;
        _ended.Dispose();
    }

    /// <summary>Null for an answer that is not a success, or too large.</summary>
    private byte[]? Answer()
    {
        if (_request.Recording.Head is not { Status: >= 200 and < 300 } head) return null;
        if (_request.Recording.Whole() is { } body)
        {
            var kept = head with { Headers = [.. head.Headers.Where(header => Claims.IsKept(header.Key))] };
            var answer = SealedAnswer.Seal(_request.ApiKey, _request.Name, _request.Hash, kept, body);
            if (answer.Length <= IIdempotencyStore.MostAnswerBytes) return answer;
        }

        LogTooLarge(_request.Name.Key);
        return null;
    }

    /// <summary>The answer is the client's whatever becomes of this: where it fails, the lease ends by itself.</summary>
    private async Task WriteAsync(Func<CancellationToken, Task> write)
    {
        using var timeout = new CancellationTokenSource(Claims.LongestWrite, _time);
        try
        {
            await write(timeout.Token);
        }
        catch (Exception e)
        {
            LogNotWritten(_request.Name.Key, e);
        }
    }

    private async Task RenewAsync()
    {
        using var timer = new PeriodicTimer(Claims.Lease / 3, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_ended.Token)) await RenewOnceAsync();
        }
        catch (OperationCanceledException)
        {
            // The claim is over.
        }
    }

    private Task RenewOnceAsync() => WriteAsync(async ct =>
    {
        if (!await _store.RenewAsync(_request.Name, _request.Owner, _time.GetUtcNow() + Claims.Lease, ct) && !_over) LogLost(_request.Name.Key);
    });

    [LoggerMessage(Level = LogLevel.Warning, Message = "An answer of key {KeyId} is too large to be kept under its Idempotency-Key: the same request would run again")]
    private partial void LogTooLarge(KeyId keyId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "An Idempotency-Key of key {KeyId} was taken by another request while this one ran")]
    private partial void LogLost(KeyId keyId);

    [LoggerMessage(Level = LogLevel.Error, Message = "An Idempotency-Key of key {KeyId} could not be written to the store")]
    private partial void LogNotWritten(KeyId keyId, Exception e);
}
