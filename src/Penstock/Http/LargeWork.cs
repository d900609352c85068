namespace Penstock.Http;

/// <summary>
/// Work on a body whose size makes it long: parsing, counting and hashing some megabytes keeps a thread for tens of milliseconds. It is done on a pool
/// thread, a few at a time, so that many large bodies at once leave threads and cores to everybody else; a small one is done where it is.
/// </summary>
internal sealed class LargeWork : IDisposable
{
    /// <summary>Bytes from which a body is large: some 2 ms of all that is done to it.</summary>
    public const int Large = 64 * 1024;

    private readonly SemaphoreSlim _turns = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <param name="bytes">Size of the body that <paramref name="work"/> is about.</param>
    public ValueTask<T> RunAsync<T>(long bytes, Func<T> work, CancellationToken ct) => bytes < Large ? ValueTask.FromResult(work()) : new ValueTask<T>(InTurnAsync(work, ct));

    public void Dispose() => _turns.Dispose();

    private async Task<T> InTurnAsync<T>(Func<T> work, CancellationToken ct)
    {
        await _turns.WaitAsync(ct);
        try
        {
            return await Task.Run(work, ct);
        }
        finally
        {
            _turns.Release();
        }
    }
}
