using Penstock.Kernel;
using Penstock.Keys;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IProviderKeyStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class ProviderKeyStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");
    private static readonly TenantId Rival = new("rival");
    private static readonly KeyId Web = new("web");

    private IProviderKeyStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract ValueTask<IProviderKeyStore> OpenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Put_keeps_every_field()
    {
        var key = Row(Acme, Web, "openai") with { Ending = "" };
        await _store.PutAsync(key, Ct);

        AssertSame(key, Assert.Single(await _store.ListAsync(Acme, Web, Ct)));
    }

    [Fact]
    public async Task Put_replaces_the_one_of_its_name_and_no_other()
    {
        await _store.PutAsync(Row(Acme, Web, "openai"), Ct);
        await _store.PutAsync(Row(Acme, Web, "anthropic"), Ct);
        var next = Row(Acme, Web, "openai", "m2", 7) with { Ending = "wxyz", At = Now.AddDays(1) };

        await _store.PutAsync(next, Ct);

        var rows = await _store.ListAsync(Acme, Web, Ct);
        Assert.Equal(["anthropic", "openai"], rows.Select(row => row.Name.Provider));
        AssertSame(Row(Acme, Web, "anthropic"), rows[0]);
        AssertSame(next, rows[1]);
    }

    [Fact]
    public async Task A_tenant_s_own_stand_apart_from_those_of_its_keys_and_of_other_tenants()
    {
        SealedProviderKey[] rows = [Row(Acme, null, "openai"), Row(Acme, Web, "openai"), Row(Acme, new KeyId("web2"), "openai"), Row(Rival, Web, "openai"), Row(Rival, null, "openai")];
        foreach (var row in rows) await _store.PutAsync(row, Ct);

        foreach (var row in rows) AssertSame(row, Assert.Single(await _store.ListAsync(row.Name.Tenant, row.Name.Key, Ct)));
        Assert.Empty(await _store.ListAsync(Acme, new KeyId("we"), Ct));
        Assert.Empty(await _store.ListAsync(new TenantId("nobody"), null, Ct));
    }

    [Fact]
    public async Task Remove_takes_one_and_says_whether_it_was_there()
    {
        var (mine, shared) = (Row(Acme, Web, "openai"), Row(Acme, null, "openai"));
        await _store.PutAsync(mine, Ct);
        await _store.PutAsync(shared, Ct);

        Assert.False(await _store.RemoveAsync(mine.Name with { Tenant = Rival }, Ct));
        Assert.False(await _store.RemoveAsync(mine.Name with { Provider = "anthropic" }, Ct));
        Assert.True(await _store.RemoveAsync(mine.Name, Ct));
        Assert.False(await _store.RemoveAsync(mine.Name, Ct));

        Assert.Empty(await _store.ListAsync(Acme, Web, Ct));
        Assert.Single(await _store.ListAsync(Acme, null, Ct));
    }

    [Fact]
    public async Task Those_under_other_master_keys_are_found_in_every_tenant()
    {
        SealedProviderKey[] rows = [Row(Acme, Web, "openai", "m1"), Row(Acme, null, "openai", "m2"), Row(Rival, Web, "anthropic", "m3")];
        foreach (var row in rows) await _store.PutAsync(row, Ct);

        var others = await _store.ListOthersAsync("m2", Ct);

        Assert.Equal(["m1", "m3"], others.Select(row => row.MasterKey).Order());
        foreach (var row in others) AssertSame(rows.Single(put => put.Name == row.Name), row);
    }

    [Fact]
    public async Task Rewrap_changes_what_it_saw_and_nothing_that_was_stored_since()
    {
        var was = Row(Acme, Web, "openai", "m1", 1);
        await _store.PutAsync(was, Ct);
        var now = was with { MasterKey = "m2", WrappedKey = Bytes(9) };

        Assert.True(await _store.RewrapAsync(was, now, Ct));
        AssertSame(now, Assert.Single(await _store.ListAsync(Acme, Web, Ct)));

        var stored = Row(Acme, Web, "openai", "m1", 5);
        await _store.PutAsync(stored, Ct);
        Assert.False(await _store.RewrapAsync(was, now, Ct));
        AssertSame(stored, Assert.Single(await _store.ListAsync(Acme, Web, Ct)));
        await _store.RemoveAsync(stored.Name, Ct);
        Assert.False(await _store.RewrapAsync(stored, now, Ct));
        Assert.Empty(await _store.ListAsync(Acme, Web, Ct));
    }

    private static SealedProviderKey Row(TenantId tenant, KeyId? key, string provider, string masterKey = "m1", byte fill = 1) => new()
    {
        Name = new ProviderKeyName(tenant, key, provider),
        MasterKey = masterKey,
        WrappedKey = Bytes(fill),
        Sealed = Bytes((byte)(fill + 1)),
        Ending = "abcd",
        At = Now,
    };

    private static byte[] Bytes(byte fill)
    {
        var bytes = new byte[60];
        Array.Fill(bytes, fill);
        return bytes;
    }

    private static void AssertSame(SealedProviderKey expected, SealedProviderKey actual)
    {
        Assert.Equal(expected with { WrappedKey = default, Sealed = default }, actual with { WrappedKey = default, Sealed = default });
        Assert.Equal(expected.WrappedKey.ToArray(), actual.WrappedKey.ToArray());
        Assert.Equal(expected.Sealed.ToArray(), actual.Sealed.ToArray());
    }
}
