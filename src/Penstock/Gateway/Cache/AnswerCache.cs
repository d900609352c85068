using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway.Cache;

/// <summary>
/// Gives an answer again that was given before, and makes one call where several ask the same at once. A store that fails is a cache that knows nothing:
/// nobody gets an error of it.
/// </summary>
internal sealed partial class AnswerCache(ICacheStore store, Flights flights, CacheSection section, GatewayMetrics metrics, TimeProvider time, ILogger<AnswerCache> log)
{
    /// <summary>Largest answer that is kept, in bytes.</summary>
    private const int LargestAnswer = 256 * 1024;

    /// <summary>A store must not hold up an answer for longer than a call would take.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    /// <summary>Headers of an answer that are every reader's; what it cost and what is left is its caller's alone.</summary>
    private static readonly string[] Everyones = ["Content-Type", "Content-Length", "Cache-Control", "x-accel-buffering", "x-penstock-provider", "x-penstock-model", "x-penstock-route", "x-penstock-template"];

    /// <summary>
    /// Answers from what is kept or from a call in flight where it can; else says how the call is to be made. Whoever is answered here is booked: at no
    /// cost, with what it saved.
    /// </summary>
    public async ValueTask<CacheTurn> OpenAsync(HttpContext http, Journey journey, int? cap, CacheQuestion question, LargeWork large)
    {
        var (origin, attempt) = (journey.Origin, journey.Attempt);
        var wish = CacheWish.Of(http, section.Current);
        // Who pays the provider themselves asks it themselves.
        if (!wish.On || attempt.Target.OwnKey) return CacheTurn.None;

        using var step = Steps.Start("cache");
        var key = await large.RunAsync(question.Body.Length, () => question.KeyFor(origin.Caller.Tenant, attempt.Target, cap, origin.Streamed, wish.Space), http.RequestAborted);
        if (key is null || !wish.Read) return Bypass(http, wish, key, journey);

        while (true)
        {
            var flight = flights.Join(origin.Caller.Tenant, key.Value, journey, out var leads);
            var kept = leads ? await LookAsync(flight, http.RequestAborted) : await flight.Kept.WaitAsync(http.RequestAborted);
            if (kept is not null && wish.Accepts(kept, time.GetUtcNow()))
            {
                if (leads) End(flight);
                await GiveAsync(http, attempt, kept);
                return CacheTurn.Answered;
            }

            if (leads)
            {
                Say(http, "miss");
                return new CacheTurn(this, flight, new Delivery(http, time), wish.Write);
            }

            if (await FollowAsync(http, flight, attempt)) return CacheTurn.Answered;
            // It ended before it began. One of those who waited makes the call, and the others wait for that.
            flights.Remove(flight);
        }
    }

    /// <summary>Keeps the answer where it is one to give again.</summary>
    public async Task KeepAsync(Flight flight)
    {
        if (flight.BookedAs is not { Outcome: AttemptOutcome.Completed } row || !flight.IsAsAsked) return;
        var recording = flight.Client.Recording;
        if (recording.Head is not { Status: StatusCodes.Status200OK } head || recording.Whole() is not { Length: <= LargestAnswer } body) return;

        using var step = Steps.Start("keep");
        var now = time.GetUtcNow();
        var answer = new CachedAnswer
        {
            ContentType = head.Headers.FirstOrDefault(header => header.Key == "Content-Type").Value.ToString(),
            Body = body,
            Provider = row.Provider,
            Model = row.Model,
            Tokens = row.Tokens,
            Cost = row.Cost,
            At = now,
            ExpiresAt = now + section.Current.Ttl,
        };
        using var timeout = new CancellationTokenSource(LongestWait, time);
        try
        {
            await store.PutAsync(flight.Name.Tenant, flight.Name.Key, answer, timeout.Token);
        }
        catch (Exception e)
        {
            LogNotKept(e);
        }
    }

    /// <summary>Nobody joins the flight any more, and whoever waits for its beginning makes a call of their own.</summary>
    public void End(Flight flight)
    {
        flights.Remove(flight);
        flight.End();
    }

    /// <summary>A call that reads nothing from the cache; its answer is kept all the same, unless the client forbids it.</summary>
    private CacheTurn Bypass(HttpContext http, CacheWish wish, CacheKey? key, Journey journey)
    {
        Say(http, "bypass");
        return key is { } known && wish.Write ? new CacheTurn(this, new Flight((journey.Origin.Caller.Tenant, known), journey), new Delivery(http, time), keep: true) : CacheTurn.None;
    }

    private async Task<CachedAnswer?> LookAsync(Flight flight, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            var kept = await store.FindAsync(flight.Name.Tenant, flight.Name.Key, time.GetUtcNow(), timeout.Token).WaitAsync(LongestWait, time, ct);
            flight.Found(kept);
            return kept;
        }
        catch (Exception e)
        {
            if (ct.IsCancellationRequested)
            {
                End(flight);
                throw;
            }

            await timeout.CancelAsync();
            LogNotRead(e);
            flight.Found(null);
            return null;
        }
    }

    private async Task GiveAsync(HttpContext http, Attempt attempt, CachedAnswer kept)
    {
        await attempt.BookSharedAsync(AttemptOutcome.Cached, kept.Tokens, kept.Cost);
        Say(http, "hit");
        var response = http.Response;
        response.Headers.Age = Math.Max(0, (long)(time.GetUtcNow() - kept.At).TotalSeconds).ToString(CultureInfo.InvariantCulture);
        Relay.AddHeaders(response.Headers, attempt);
        if (kept.ContentType == Relay.StreamType)
        {
            Relay.AddStreamHeaders(response);
        }
        else
        {
            response.ContentType = kept.ContentType;
            response.ContentLength = kept.Body.Length;
            response.Headers["x-penstock-cost-usd"] = "0";
        }

        response.StatusCode = StatusCodes.Status200OK;
        await response.Body.WriteAsync(kept.Body, http.RequestAborted);
    }

    /// <summary>Gives this client the answer of a call that another makes, as it comes. False where it ended before it began.</summary>
    private async Task<bool> FollowAsync(HttpContext http, Flight flight, Attempt attempt)
    {
        using var reader = flight.Client.Recording.Attach();
        if (reader is null) return false;

        var end = await new Delivery(http, time).CopyAsync(reader, Share, BookOnceAsync);
        if (end == DeliveryEnd.NotBegun) return false;
        if (!attempt.Booked && end == DeliveryEnd.Gone) await attempt.BookSharedAsync(AttemptOutcome.ClientGone, default, Money.Zero, Settlement.ClientGone);
        if (!attempt.Booked) await attempt.BookSharedAsync(AttemptOutcome.ProviderFailed, default, Money.Zero, Settlement.Bug);
        return end == DeliveryEnd.Gone ? throw new ClientGoneException(http.RequestAborted) : true;

        // The leader is booked before anybody gets the end of its answer, and so is whoever follows.
        async ValueTask BookOnceAsync()
        {
            if (attempt.Booked || flight.BookedAs is not { } row) return;
            if (row.Outcome == AttemptOutcome.Completed) await attempt.BookSharedAsync(AttemptOutcome.Cached, row.Tokens, row.Cost);
            else await attempt.BookSharedAsync(row.Outcome, default, Money.Zero, row.Error);
        }
    }

    private void Share(RecordedHead recorded, IHeaderDictionary headers)
    {
        foreach (var (name, value) in recorded.Headers)
        {
            if (Everyones.Contains(name, StringComparer.OrdinalIgnoreCase)) headers[name] = value;
            if (name == "x-penstock-cost-usd") headers[name] = "0";
        }

        Say(headers, "shared");
    }

    private void Say(HttpContext http, string result) => Say(http.Response.Headers, result);

    private void Say(IHeaderDictionary headers, string result)
    {
        headers[CacheWish.Header] = result;
        metrics.RecordCache(result);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The cache could not be read; the call is made")]
    private partial void LogNotRead(Exception e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "An answer could not be kept in the cache")]
    private partial void LogNotKept(Exception e);
}
