using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents.Socket;

/// <summary>
/// <c>WS /v1/ws</c>. A page of any origin may connect: what lets it in is a key that it must send itself, and no cookie that a browser would add.
/// </summary>
/// <seealso href="https://www.rfc-editor.org/rfc/rfc6455"/>
internal sealed class RunSocket(KeyRing keys, SocketCalls calls, Runs runs, RunEvents events, SocketLife life)
{
    /// <summary>Sockets of one key, and sockets that have sent none yet.</summary>
    private const int MostOfKey = 2_000;
    private const int MostNameless = 500;

    private readonly ConcurrentDictionary<KeyId, int> _open = new();
    private int _nameless;

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("/v1/ws", AcceptAsync);

    private async Task AcceptAsync(HttpContext http)
    {
        if (!http.WebSockets.IsWebSocketRequest)
        {
            await keys.AuthenticateAsync(http);
            throw new RefusedException(Refusal.Invalid("Upgrade", "This route speaks WebSocket. Connect to it with a WebSocket client."));
        }

        var named = http.WebSockets.WebSocketRequestedProtocols;
        var key = SocketKey.Of(named) ?? (HasKey(http) ? KeyRing.Sent(http.Request.Headers) : null);
        // Who is let in by what came with the request is refused by a status, which every client shows.
        var caller = key is null ? null : await keys.AuthenticateAsync(calls.Make(key, http.RequestAborted));
        if (caller is null && Volatile.Read(ref _nameless) >= MostNameless)
            throw new RefusedException(new Refusal(RefusalKind.Unavailable, "too_many_sockets", "Too many sockets wait for their key. Send it with the request, or come back in a moment.") { RetryAfter = TimeSpan.FromSeconds(1) });
        RequestScope.Of(http).Key = caller?.Key.Id;
        using var socket = await http.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
        {
            // The key is never said back.
            SubProtocol = named.Contains(SocketKey.Protocol) ? SocketKey.Protocol : null,
            KeepAliveInterval = life.Times.Ping,
            KeepAliveTimeout = life.Times.Answer,
        });
        await using var session = new SocketSession(socket, calls, runs, events, life);
        if (key is null || caller is null)
        {
            (key, caller) = await NameAsync(session, http);
            if (key is null || caller is null) return;
        }

        await ServeAsync(session, key, caller, http);
    }

    /// <summary>Waits for the message that brings the key; the socket is closed where none comes, or it is no good.</summary>
    private async Task<(string? Key, Caller? Caller)> NameAsync(SocketSession session, HttpContext http)
    {
        Interlocked.Increment(ref _nameless);
        try
        {
            using var patience = new CancellationTokenSource(life.Times.Key, life.Time);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, patience.Token, life.Begun);
            if (await session.ReadKeyAsync(stop.Token) is not { } key)
            {
                await session.CloseAsync(SocketSession.Unauthenticated, "The first message must bring the key.");
                return default;
            }

            var caller = await keys.AuthenticateAsync(calls.Make(key, stop.Token));
            RequestScope.Of(http).Key = caller.Key.Id;
            return (key, caller);
        }
        catch (RefusedException e)
        {
            await session.RefuseAsync(null, e.Refusal, RequestScope.Of(http).Id, http.RequestAborted);
            await session.CloseAsync(SocketSession.Unauthenticated, "The key is not known here.");
        }
        catch (OperationCanceledException)
        {
            await session.CloseAsync(SocketSession.Unauthenticated, "No key came in time. Send {\"type\":\"auth\",\"key\":\"…\"} first.");
        }
        finally
        {
            Interlocked.Decrement(ref _nameless);
        }

        return default;
    }

    private async Task ServeAsync(SocketSession session, string key, Caller caller, HttpContext http)
    {
        var id = caller.Key.Id;
        if (_open.AddOrUpdate(id, 1, static (_, open) => open + 1) > MostOfKey) await session.CloseAsync(SocketSession.TooMany, $"Key '{id}' has {MostOfKey} sockets open, which is the most. Close some.");
        else await session.RunAsync(key, caller, CheckAsync, http.RequestAborted);
        if (_open.AddOrUpdate(id, 0, static (_, open) => open - 1) <= 0) _open.TryRemove(new KeyValuePair<KeyId, int>(id, 0));
    }

    /// <summary>The caller as it is now; throws 401 once the key is revoked or past its time.</summary>
    private async Task<Caller> CheckAsync(string key, CancellationToken ct) => await keys.AuthenticateAsync(calls.Make(key, ct));

    private static bool HasKey(HttpContext http) => http.Request.Headers.Authorization.Count > 0 || http.Request.Headers.ContainsKey("x-api-key");
}

/// <summary>What every socket lives by: the clock, its times, and the end of the server.</summary>
internal sealed class SocketLife(SocketTimes times, Drain drain, TimeProvider time)
{
    public SocketTimes Times => times;

    public TimeProvider Time => time;

    /// <summary>The server begins to stop: what only watches ends, and nothing new is taken.</summary>
    public CancellationToken Begun => drain.Begun;

    public static RefusedException Stopping => new(Drain.Refusal);

    /// <summary>What is being made ends too.</summary>
    public CancellationToken Cut => drain.Cut;
}
