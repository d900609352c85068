using Microsoft.AspNetCore.Http;

namespace Penstock.Http;

/// <summary>Work whose answer goes into a recording instead of to the client that asked for it, who is one reader among others.</summary>
internal static class DetachedWork
{
    /// <summary>
    /// Runs <paramref name="work"/> to its end, whether the client stays or not, while <paramref name="delivery"/> copies to the client. Within it, the
    /// request is aborted by <paramref name="cancelled"/> only. <paramref name="keep"/> runs when the answer is whole, before its end is told, and throws
    /// nothing. What the work throws is thrown on once the client has what there is; headers that it had set are the client's then too.
    /// </summary>
    public static async Task<DeliveryEnd> RunAsync(HttpContext http, Recording.Reader client, Delivery delivery, Func<Task> work, Func<Task> keep, CancellationToken cancelled)
    {
        var recording = client.Recording;
        var response = new RecordedResponse(recording, cancelled);
        var copying = CopyAsync(client, delivery);
        response.PutInPlaceOf(http);
        try
        {
            await work();
            await response.CompleteAsync();
            recording.Seal();
            // Before anybody sees the end: whoever asks again after it must find the answer kept.
            if (!recording.Broken) await keep();
            recording.Complete();
        }
        catch
        {
            recording.Fail();
            if (await copying == DeliveryEnd.NotBegun) AddAll(response.Headers, delivery.Headers);
            throw;
        }
        finally
        {
            response.GiveBack();
        }

        return await copying;
    }

    private static async Task<DeliveryEnd> CopyAsync(Recording.Reader client, Delivery delivery)
    {
        // Whoever waits for the last reader to leave must hear of it at once, not when the work ends.
        using (client) return await delivery.CopyAsync(client, static (recorded, headers) => AddAll(recorded.Headers, headers));
    }

    private static void AddAll(IEnumerable<KeyValuePair<string, Microsoft.Extensions.Primitives.StringValues>> from, IHeaderDictionary to)
    {
        foreach (var (name, value) in from) to[name] = value;
    }
}
