using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>Makes, shows, rotates and revokes virtual keys. The text of a key is returned once and kept nowhere.</summary>
internal sealed class VirtualKeys(IKeyStore store, KeyRing ring, ProviderKeys providerKeys, IdSource ids, TimeProvider time)
{
    public async Task<(KeyText Text, KeyRecord Key)> CreateAsync(Func<KeyText, DateTimeOffset, KeyRecord> make, CancellationToken ct)
    {
        while (true)
        {
            var text = KeyText.Create(ids);
            var key = make(text, time.GetUtcNow());
            if (await store.AddAsync(key, ct)) return (text, key);
        }
    }

    public async Task<KeyRecord> GetAsync(TenantId tenant, KeyId id, CancellationToken ct) => await store.GetAsync(tenant, id, ct) ?? throw Unknown(id);

    public Task<IReadOnlyList<KeyRecord>> ListAsync(TenantId tenant, CancellationToken ct) => store.ListAsync(tenant, ct);

    public async Task RevokeAsync(TenantId tenant, KeyId id, CancellationToken ct)
    {
        if (!await store.RevokeAsync(tenant, id, time.GetUtcNow(), ct)) throw Unknown(id);
        ring.Forget(id);
        await providerKeys.RemoveAllAsync(tenant, id, ct);
    }

    /// <summary>The old text works on for <paramref name="grace"/>, so that a key can be changed without an outage.</summary>
    public async Task<KeyText> RotateAsync(TenantId tenant, KeyId id, TimeSpan grace, CancellationToken ct)
    {
        var text = KeyText.For(id, ids);
        if (!await store.RotateAsync(tenant, id, text.Hash(), time.GetUtcNow() + grace, ct)) throw Unknown(id);
        ring.Forget(id);
        return text;
    }

    /// <summary>
    /// Sees to it that somebody can come in: with <paramref name="given"/> that key is the operator's; without it, the first start makes one.
    /// Returns the text to print once, or null where nothing new was made.
    /// Refuses a text that is no key's, and a key that is revoked or not an operator's.
    /// </summary>
    public async Task<string?> EnsureOperatorAsync(string? given, CancellationToken ct)
    {
        if (given is not null)
        {
            if (!KeyText.TryParse(given, out var text)) throw Unusable("PENSTOCK_ADMIN_KEY must look like 'sk-pen-<id>-<secret>' with a secret of 32 characters or more.");
            await EnsureAsync(text, ct);
            return null;
        }

        var now = time.GetUtcNow();
        if ((await store.ListAsync(TenantId.Default, ct)).Any(key => key.Scopes.HasFlag(Scopes.Operator) && key.RevokedAt is null && !(key.ExpiresAt <= now))) return null;
        return (await CreateAsync(OperatorKey, ct)).Text.Text;
    }

    /// <summary>A key for sample data, with every scope of a plain client; null where the id exists already.</summary>
    public async Task<string?> AddSampleAsync(KeyId id, ProjectId project, CancellationToken ct)
    {
        var text = KeyText.For(id, ids);
        var key = OperatorKey(text, time.GetUtcNow()) with { Name = "sample", Project = project, Scopes = Scopes.Complete | Scopes.Embed | Scopes.RunAgents | Scopes.CallTools };
        return await store.AddAsync(key, ct) ? text.Text : null;
    }

    private async Task EnsureAsync(KeyText text, CancellationToken ct)
    {
        if (await store.AddAsync(OperatorKey(text, time.GetUtcNow()), ct)) return;

        var known = await store.GetAsync(TenantId.Default, text.Id, ct);
        if (known is null || !known.Scopes.HasFlag(Scopes.Operator)) throw Unusable($"PENSTOCK_ADMIN_KEY names the key '{text.Id}', which is not an operator's. Choose another id.");
        if (known.RevokedAt is not null) throw Unusable($"PENSTOCK_ADMIN_KEY names the key '{text.Id}', which is revoked. Choose another id.");
        if (!known.Hash.Span.SequenceEqual(text.Hash())) await store.RotateAsync(TenantId.Default, text.Id, text.Hash(), time.GetUtcNow(), ct);
    }

    private static KeyRecord OperatorKey(KeyText text, DateTimeOffset now) => new()
    {
        Tenant = TenantId.Default,
        Project = ProjectId.Default,
        Id = text.Id,
        Name = "operator",
        Hash = text.Hash(),
        Scopes = Scopes.Complete | Scopes.Embed | Scopes.RunAgents | Scopes.CallTools | Scopes.Admin | Scopes.Operator,
        CreatedAt = now,
    };

    private static RefusedException Unusable(string message) => new(new Refusal(RefusalKind.Conflict, "admin_key_unusable", message));

    private static RefusedException Unknown(KeyId id) => new(new Refusal(RefusalKind.NotFound, "key_not_found", $"There is no active key '{id}' in this tenant."));
}
