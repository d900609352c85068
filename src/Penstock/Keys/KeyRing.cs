using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys.Jwt;

namespace Penstock.Keys;

/// <summary>
/// Says who is calling. A key is read from the store at most once in <see cref="Remembered"/>, so that a revoked one dies within that time on every node; so is what it has stored at providers. A token of an issuer stands for a key.
/// </summary>
internal sealed class KeyRing(IKeyStore store, Tokens tokens, ProviderKeys providerKeys, TimeProvider time)
{
    public static readonly TimeSpan Remembered = TimeSpan.FromSeconds(5);

    private const int MostRemembered = 10_000;

    private readonly ConcurrentDictionary<KeyId, (KeyRecord Key, long At)> _recent = new();

    /// <summary>Throws 401 for a key that is absent, unknown, revoked or expired, and 403 where it lacks <paramref name="scope"/>.</summary>
    public async ValueTask<Caller> AuthenticateAsync(HttpContext http, Scopes scope)
    {
        var caller = await AuthenticateAsync(http);
        if (!caller.Has(scope)) throw new RefusedException(new Refusal(RefusalKind.Forbidden, "missing_scope", $"Key '{caller.Key.Id}' lacks the scope '{string.Join(' ', ScopeNames.Of(scope))}'. Ask an admin for a key that has it."));
        return caller;
    }

    /// <summary>Any valid key or token, whatever its scopes.</summary>
    public async ValueTask<Caller> AuthenticateAsync(HttpContext http)
    {
        if (http.Features.Get<StandIn>() is { } own)
        {
            RequestScope.Of(http).Key = own.Caller.Key.Id;
            return own.Caller;
        }

        var text = Sent(http.Request.Headers);
        var key = TokenText.Looks(text) ? await tokens.AuthenticateAsync(text, http.RequestAborted) : await AuthenticateAsync(text, http.RequestAborted);
        RequestScope.Of(http).Key = key.Id;
        return new Caller(key) { ProviderKeys = await providerKeys.OfAsync(key, http.RequestAborted) };
    }

    /// <summary>Whoever has this key, for work that goes on without a request of theirs. Throws 401 where it is unknown, revoked or expired.</summary>
    public async ValueTask<Caller> FindAsync(TenantId tenant, KeyId id, CancellationToken ct)
    {
        var (key, _) = await FindAsync(id, ct);
        if (key is null || key.Tenant != tenant || key.RevokedAt is not null) throw Unknown($"The API key '{id}' is unknown or revoked.");
        if (key.ExpiresAt <= time.GetUtcNow()) throw Unknown($"The API key '{key.Id}' expired on {key.ExpiresAt:yyyy-MM-dd}.");
        return new Caller(key) { ProviderKeys = await providerKeys.OfAsync(key, ct) };
    }

    /// <summary>The next call with this key asks the store.</summary>
    public void Forget(KeyId id) => _recent.TryRemove(id, out _);

    /// <summary>The key or token as it was sent; throws 401 where there is none.</summary>
    public static string Sent(IHeaderDictionary headers)
    {
        const string Bearer = "Bearer ";
        var authorization = headers.Authorization.ToString();
        if (authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)) return authorization[Bearer.Length..].Trim();
        if (headers["x-api-key"].ToString() is { Length: > 0 } key) return key;
        throw Unknown("No API key was sent. Send 'Authorization: Bearer sk-pen-…' or 'x-api-key: sk-pen-…'.");
    }

    private async ValueTask<KeyRecord> AuthenticateAsync(string text, CancellationToken ct)
    {
        if (!KeyText.TryParse(text, out var sent)) throw Unknown("The API key is malformed; ours look like 'sk-pen-<id>-<secret>'.");

        var now = time.GetUtcNow();
        var hash = sent.Hash();
        var (key, remembered) = await FindAsync(sent.Id, ct);
        // The comparison runs for unknown ids too, so that time tells nothing about which ids exist.
        var matches = Matches(key, hash, now);
        if (remembered && !matches)
        {
            // The key may have been rotated on another node: a new secret works everywhere at once.
            Forget(sent.Id);
            (key, _) = await FindAsync(sent.Id, ct);
            matches = Matches(key, hash, now);
        }

        if (key is null || !matches || key.RevokedAt is not null) throw Unknown("The API key is unknown or revoked.");
        if (key.ExpiresAt <= now) throw Unknown($"The API key '{key.Id}' expired on {key.ExpiresAt:yyyy-MM-dd}.");
        return key;
    }

    private async ValueTask<(KeyRecord? Key, bool Remembered)> FindAsync(KeyId id, CancellationToken ct)
    {
        if (_recent.TryGetValue(id, out var recent) && time.GetElapsedTime(recent.At) < Remembered) return (recent.Key, true);

        // The age counts from before the read: a revocation that lands during it is not outlived.
        var at = time.GetTimestamp();
        var key = await store.FindAsync(id, ct);
        if (_recent.Count >= MostRemembered) _recent.Clear();
        if (key is not null) _recent[id] = (key, at);
        return (key, false);
    }

    private static bool Matches(KeyRecord? key, ReadOnlySpan<byte> hash, DateTimeOffset now)
    {
        Span<byte> none = stackalloc byte[SHA256.HashSizeInBytes];
        none.Clear();
        var current = CryptographicOperations.FixedTimeEquals(key is null ? none : key.Hash.Span, hash);
        var previous = CryptographicOperations.FixedTimeEquals(key?.PreviousHash is { } old && key.PreviousUntil > now ? old.Span : none, hash);
        return current | previous;
    }

    private static RefusedException Unknown(string message) => new(new Refusal(RefusalKind.Unauthenticated, "invalid_api_key", message));
}
