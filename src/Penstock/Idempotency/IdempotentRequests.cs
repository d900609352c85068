using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Idempotency;

/// <summary>
/// POST requests that carry an <c>Idempotency-Key</c>. The first of a name does the work and goes on even where its client leaves; an equal one gets the
/// same answer, while it is made or afterwards; an unequal one is refused. A failure frees the name.
/// </summary>
internal sealed class IdempotentRequests(KeyRing keys, LargestBody largest, Claims claims, TimeProvider time)
{
    public const string Header = "Idempotency-Key";
    public const string ReplayedHeader = "idempotency-replayed";

    private const int LongestName = 255;

    private readonly ConcurrentDictionary<IdempotencyName, RunningRequest> _running = new();

    /// <summary>Clients that wait for an answer that is made for another.</summary>
    public int Waiting => _running.Values.Sum(request => Math.Max(0, request.Recording.Readers - 1));

    /// <summary>Whatever carries no name passes at no cost.</summary>
    public Task InvokeAsync(HttpContext http, RequestDelegate next) =>
        HttpMethods.IsPost(http.Request.Method) && http.Request.Headers.ContainsKey(Header) && http.GetEndpoint() is RouteEndpoint ? RunAsync(http, next) : next(http);

    private async Task RunAsync(HttpContext http, RequestDelegate next)
    {
        var value = NameOf(http.Request.Headers);
        var caller = await keys.AuthenticateAsync(http);
        var body = await Bodies.ReadAsync(http, largest.Bytes);
        http.Request.Body = AsStream(body);

        var name = new IdempotencyName(caller.Tenant, caller.Key.Id, value);
        var mine = new RunningRequest(name, KeyRing.Sent(http.Request.Headers), HashOf(http.Request, body.Span));
        var running = _running.GetOrAdd(name, mine);
        if (running == mine) await LeadAsync(http, mine, next);
        else await FollowAsync(http, running, mine);
    }

    /// <summary>The name is free in this process; the store says whether it is everywhere.</summary>
    private async Task LeadAsync(HttpContext http, RunningRequest request, RequestDelegate next)
    {
        var client = request.Client;
        var delivery = new Delivery(http, time);
        try
        {
            if (await claims.TakeAsync(request) is { } answer)
            {
                request.Recording.Begin(answer.Head);
                await request.Recording.AppendAsync(answer.Body, CancellationToken.None);
                request.Recording.Complete();
                await CopyAsync(http, client, delivery);
                return;
            }

            await WorkAsync(http, request, delivery, next);
        }
        catch (Exception e)
        {
            // Whoever asked the same is told the same.
            request.Failure = e;
            throw;
        }
        finally
        {
            _running.TryRemove(new KeyValuePair<IdempotencyName, RunningRequest>(request.Name, request));
            request.Recording.Fail();
            client.Dispose();
        }
    }

    private async Task WorkAsync(HttpContext http, RunningRequest request, Delivery delivery, RequestDelegate next)
    {
        await using var claim = claims.Hold(request);
        var end = await DetachedWork.RunAsync(http, request.Client, delivery, TryAsync, claim.CompleteAsync, RequestDeadline.Of(http));
        if (end == DeliveryEnd.Gone) throw new ClientGoneException(http.RequestAborted);

        async Task TryAsync()
        {
            try
            {
                await next(http);
                if (!RequestScope.Of(http).Incomplete) return;
            }
            catch (Exception e)
            {
                request.Failure = e;
                await FreeAsync();
                throw;
            }

            await FreeAsync();
        }

        // Before anybody is told that it failed: a retry may come at once.
        async Task FreeAsync()
        {
            await claim.ReleaseAsync();
            _running.TryRemove(new KeyValuePair<IdempotencyName, RunningRequest>(request.Name, request));
        }
    }

    private async Task FollowAsync(HttpContext http, RunningRequest running, RunningRequest mine)
    {
        if (!running.Hash.AsSpan().SequenceEqual(mine.Hash)) throw new RefusedException(Claims.Reused);
        using var reader = running.Recording.Attach();
        // It is longer than what is kept: it will be nobody else's answer.
        if (reader is null) throw new RefusedException(Claims.Running);
        if (await CopyAsync(http, reader, new Delivery(http, time)) != DeliveryEnd.NotBegun) return;
        throw running.Failure is RefusedException refused ? new RefusedException(refused.Refusal) : new RefusedException(Claims.Running);
    }

    /// <summary>Gives this client an answer that was made for another.</summary>
    private static async Task<DeliveryEnd> CopyAsync(HttpContext http, Recording.Reader reader, Delivery delivery)
    {
        var id = RequestScope.Of(http).Id;
        var end = await delivery.CopyAsync(reader, (recorded, headers) =>
        {
            foreach (var (name, value) in recorded.Headers)
            {
                if (!Claims.OfOneDelivery(name)) headers[name] = value;
                else if (Claims.IsRequestId(name)) headers[name] = id.Value;
            }

            headers[ReplayedHeader] = "true";
        });
        return end == DeliveryEnd.Gone ? throw new ClientGoneException(http.RequestAborted) : end;
    }

    private static string NameOf(IHeaderDictionary headers)
    {
        var values = headers[Header];
        var name = values.Count == 1 ? values[0] ?? "" : "";
        return name.Length is > 0 and <= LongestName && name.All(c => c is >= ' ' and <= '~')
            ? name
            : throw new RefusedException(Refusal.Invalid(Header, $"'{Header}' must be given once and have 1 to {LongestName} printable ASCII characters."));
    }

    private static MemoryStream AsStream(ReadOnlyMemory<byte> body) =>
        MemoryMarshal.TryGetArray(body, out var bytes) ? new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false) : new MemoryStream(body.ToArray(), writable: false);

    private static byte[] HashOf(HttpRequest request, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        // No line break can stand in any of the three.
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.Method}\n{request.Path}\n{request.QueryString}\n"));
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }
}

/// <summary>A request that has its name in this process.</summary>
internal sealed class RunningRequest
{
    public RunningRequest(IdempotencyName name, string apiKey, byte[] hash)
    {
        (Name, ApiKey, Hash) = (name, apiKey, hash);
        Client = Recording.Attach()!;
    }

    public IdempotencyName Name { get; }

    public string ApiKey { get; }

    public byte[] Hash { get; }

    /// <summary>Who it is in the store; set when it claims its name.</summary>
    public string Owner { get; set; } = "";

    /// <summary>Nobody's leaving ends the work.</summary>
    public Recording Recording { get; } = new(Recording.MostHeld, abandon: null);

    public Recording.Reader Client { get; }

    /// <summary>Why it has no answer.</summary>
    public Exception? Failure { get; set; }
}
