using Microsoft.Extensions.Hosting;

namespace Penstock.Keys.Jwt;

/// <summary>Asks issuers for their keys before those age out, so that no call has to wait for that.</summary>
internal sealed class IssuerRefresh(IssuerSection section, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    /// <summary>All that are due, at once.</summary>
    public Task RunOnceAsync(CancellationToken ct) => Task.WhenAll(section.Current.Issuers.Values.Select(issuer => issuer.Keys.RefreshAsync(ct)));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery, time);
        do await RunOnceAsync(stoppingToken);
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
