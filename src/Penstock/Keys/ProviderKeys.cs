using System.Collections.Concurrent;
using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>
/// Callers' own keys at providers, stored sealed. What a caller has is read from the store at most once in <see cref="KeyRing.Remembered"/>, so that a key
/// that was removed serves no longer than that on any node; it is opened for the call that needs it and kept open nowhere.
/// </summary>
internal sealed class ProviderKeys(IProviderKeyStore store, MasterKeys masters, TimeProvider time)
{
    public const int Shortest = 8;
    public const int Longest = 512;

    private const int MostRemembered = 10_000;

    private readonly ConcurrentDictionary<(TenantId, KeyId), (IReadOnlyList<SealedProviderKey> Keys, long At)> _recent = new();

    /// <summary>Whether it can stand in a header, as every provider takes it.</summary>
    public static bool IsKey(string text) => text.Length is >= Shortest and <= Longest && text.All(c => c is > ' ' and < '\x7f');

    /// <summary>Throws 503 where this server has no master key.</summary>
    public async Task<SealedProviderKey> PutAsync(ProviderKeyName name, string text, CancellationToken ct)
    {
        var key = await masters.SealAsync(name, text, time.GetUtcNow(), ct);
        await store.PutAsync(key, ct);
        Forget(name);
        return key;
    }

    public async Task<SealedProviderKey> GetAsync(ProviderKeyName name, CancellationToken ct) =>
        (await store.ListAsync(name.Tenant, name.Key, ct)).FirstOrDefault(key => key.Name == name) ?? throw Unknown(name);

    public async Task RemoveAsync(ProviderKeyName name, CancellationToken ct)
    {
        var removed = await store.RemoveAsync(name, ct);
        Forget(name);
        if (!removed) throw Unknown(name);
    }

    /// <summary>Removes all of a key that is revoked: nobody can use them any more.</summary>
    public async Task RemoveAllAsync(TenantId tenant, KeyId key, CancellationToken ct)
    {
        foreach (var stored in await store.ListAsync(tenant, key, ct)) await store.RemoveAsync(stored.Name, ct);
        _recent.TryRemove((tenant, key), out _);
    }

    /// <summary>What serves calls of this key: its own, and the tenant's for other providers.</summary>
    public async ValueTask<IReadOnlyList<SealedProviderKey>> OfAsync(KeyRecord key, CancellationToken ct)
    {
        if (_recent.TryGetValue((key.Tenant, key.Id), out var recent) && time.GetElapsedTime(recent.At) < KeyRing.Remembered) return recent.Keys;

        // The age counts from before the read: a removal that lands during it is not outlived.
        var at = time.GetTimestamp();
        var reads = await Task.WhenAll(store.ListAsync(key.Tenant, key.Id, ct), store.ListAsync(key.Tenant, null, ct));
        IReadOnlyList<SealedProviderKey> keys = [.. reads[0], .. reads[1].Where(shared => !reads[0].Any(own => own.Name.Provider == shared.Name.Provider))];
        await masters.PrepareAsync(keys, ct);
        if (_recent.Count >= MostRemembered) _recent.Clear();
        _recent[(key.Tenant, key.Id)] = (keys, at);
        return keys;
    }

    /// <summary>Puts every row under the master key of now. Rows that no master key of this server opens stay as they are and are returned.</summary>
    public async Task<(int Resealed, IReadOnlyList<SealedProviderKey> Left)> ResealAsync(CancellationToken ct)
    {
        var (resealed, left) = (0, new List<SealedProviderKey>());
        // A service may choose another key each time: all are put under that of now.
        foreach (var was in await store.ListOthersAsync(masters.IdToSeal() ?? "", ct))
        {
            // A row that somebody stored anew meanwhile is under the master key of whoever did.
            if (await masters.RewrapAsync(was, ct) is not { } now) left.Add(was);
            else if (await store.RewrapAsync(was, now, ct)) resealed++;
        }

        return (resealed, left);
    }

    private void Forget(ProviderKeyName name)
    {
        // What a tenant stores for all of its keys stands beside each of them.
        if (name.Key is { } key) _recent.TryRemove((name.Tenant, key), out _);
        else _recent.Clear();
    }

    private static RefusedException Unknown(ProviderKeyName name) =>
        new(new Refusal(RefusalKind.NotFound, "provider_key_not_found", $"No key at provider '{name.Provider}' is stored for {(name.Key is { } key ? $"key '{key}'" : "this tenant")}."));
}
