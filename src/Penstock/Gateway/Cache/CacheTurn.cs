using Microsoft.AspNetCore.Http;
using Penstock.Http;

namespace Penstock.Gateway.Cache;

/// <summary>What the cache has to do with one request. Disposing it lets those who follow look after themselves.</summary>
internal sealed class CacheTurn(AnswerCache? cache, Flight? flight, Delivery? delivery, bool keep) : IDisposable
{
    /// <summary>The request has nothing to do with the cache.</summary>
    public static readonly CacheTurn None = new(null, null, null, keep: false);

    /// <summary>The client has its answer, and nothing is left to do.</summary>
    public static readonly CacheTurn Answered = new(null, null, null, keep: false);

    /// <summary>Others may get the answer too.</summary>
    public bool Shared => flight is not null;

    /// <summary>Makes the answer: for this client alone, or for all who ask the same.</summary>
    /// <param name="whole">False where the answer was cut down for this caller, so that it is nobody else's.</param>
    public async Task RunAsync(HttpContext http, bool whole, Func<Task> work)
    {
        if (cache is null || flight is null || delivery is null)
        {
            await work();
            return;
        }

        if (!whole)
        {
            cache.End(flight);
            await work();
            return;
        }

        var end = await DetachedWork.RunAsync(http, flight.Client, delivery, work, () => keep ? cache.KeepAsync(flight) : Task.CompletedTask, flight.Abandoned);
        if (end == DeliveryEnd.Gone) throw new ClientGoneException(http.RequestAborted);
    }

    public void Dispose()
    {
        if (flight is not null) cache!.End(flight);
    }
}
