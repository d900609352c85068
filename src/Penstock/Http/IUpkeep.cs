namespace Penstock.Http;

/// <summary>Work that a server does by itself from time to time, and that a host without a time of its own is told to do.</summary>
internal interface IUpkeep
{
    /// <summary>All that is due. Safe beside others that do the same.</summary>
    Task RunOnceAsync(CancellationToken ct);
}
