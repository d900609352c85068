namespace Penstock.Sqlite.Tests;

/// <summary>An operation that keeps the writer busy, so that others wait behind it and are committed together.</summary>
internal sealed class HeldWriter : IDisposable
{
    private readonly ManualResetEventSlim _gate = new();

    private HeldWriter()
    {
    }

    public static async Task<HeldWriter> HoldAsync(SqliteDatabase database, CancellationToken ct)
    {
        var held = new HeldWriter();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = database.WriteAsync(
            _ =>
            {
                started.SetResult();
                held._gate.Wait(TimeSpan.FromSeconds(30), CancellationToken.None);
                return true;
            },
            ct);
        await started.Task;
        return held;
    }

    public void Release() => _gate.Set();

    public void Dispose() => _gate.Set();
}
