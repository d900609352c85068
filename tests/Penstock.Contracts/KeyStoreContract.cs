using Penstock.Kernel;
using Penstock.Keys;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IKeyStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class KeyStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");
    private static readonly TenantId Rival = new("rival");

    private IKeyStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract ValueTask<IKeyStore> OpenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Add_keeps_every_field()
    {
        var key = Key(Acme, "full") with
        {
            PreviousHash = Hash(9),
            PreviousUntil = Now.AddDays(1),
            Scopes = Scopes.Complete | Scopes.Embed | Scopes.RunAgents | Scopes.Admin | Scopes.Operator,
            ExpiresAt = Now.AddYears(1),
            RevokedAt = Now.AddMonths(1),
            Tools = ["calculator", "files.*", "with \"quotes\", commas and 🦀"],
            Models = ["gpt-4o-mini", "fast", "with \"quotes\", commas and 🦀"],
            MonthlyBudget = new Money(long.MaxValue),
            RequestsPerSecond = 0.1,
            Burst = int.MaxValue,
            TokensPerMinute = 1,
            Concurrency = 0,
            Guards = """{"email": {"out": "mask"}, "deny": {"words": {"phrases": ["\"é\" 🦀"]}}}""",
        };

        Assert.True(await _store.AddAsync(key, Ct));

        AssertSame(key, await _store.FindAsync(key.Id, Ct));
        AssertSame(key, await _store.GetAsync(Acme, key.Id, Ct));
        AssertSame(key, Assert.Single(await _store.ListAsync(Acme, Ct)));
    }

    [Fact]
    public async Task Add_keeps_what_is_not_given_apart_from_zero()
    {
        var key = Key(Acme, "bare");
        await _store.AddAsync(key, Ct);

        AssertSame(key, await _store.GetAsync(Acme, key.Id, Ct));
    }

    [Fact]
    public async Task Add_refuses_an_id_that_exists_and_changes_nothing()
    {
        var first = Key(Acme, "same");
        await _store.AddAsync(first, Ct);

        Assert.False(await _store.AddAsync(first with { Name = "second", Hash = Hash(7) }, Ct));

        AssertSame(first, Assert.Single(await _store.ListAsync(Acme, Ct)));
    }

    [Fact]
    public async Task Add_refuses_an_id_that_another_tenant_has()
    {
        var mine = Key(Acme, "same");
        await _store.AddAsync(mine, Ct);

        Assert.False(await _store.AddAsync(Key(Rival, "same") with { Hash = Hash(7) }, Ct));

        AssertSame(mine, await _store.FindAsync(mine.Id, Ct));
        Assert.Empty(await _store.ListAsync(Rival, Ct));
    }

    [Fact]
    public async Task Add_of_one_id_by_many_at_once_succeeds_for_one()
    {
        var tasks = Enumerable.Range(0, 32).Select(i => _store.AddAsync(Key(i % 2 == 0 ? Acme : Rival, "contested") with { Name = $"{i}" }, Ct));

        var added = await Task.WhenAll(tasks);

        var winner = Assert.Single(Enumerable.Range(0, 32), i => added[i]);
        Assert.Equal($"{winner}", (await _store.FindAsync(new KeyId("contested"), Ct))?.Name);
    }

    [Fact]
    public async Task Reads_of_another_tenants_key_find_nothing()
    {
        var mine = Key(Acme, "mine");
        await _store.AddAsync(mine, Ct);
        await _store.AddAsync(Key(Rival, "theirs"), Ct);

        Assert.Null(await _store.GetAsync(Rival, mine.Id, Ct));
        Assert.Null(await _store.GetAsync(new TenantId("ACME"), mine.Id, Ct));
        Assert.Null(await _store.GetAsync(new TenantId(""), mine.Id, Ct));
        Assert.Equal(["theirs"], (await _store.ListAsync(Rival, Ct)).Select(key => key.Id.Value));
        Assert.Empty(await _store.ListAsync(new TenantId("acme'--"), Ct));
    }

    [Fact]
    public async Task Writes_to_another_tenants_key_change_nothing()
    {
        var mine = Key(Acme, "mine");
        await _store.AddAsync(mine, Ct);

        Assert.False(await _store.RevokeAsync(Rival, mine.Id, Now, Ct));
        Assert.False(await _store.RotateAsync(Rival, mine.Id, Hash(7), Now, Ct));

        AssertSame(mine, await _store.FindAsync(mine.Id, Ct));
    }

    [Fact]
    public async Task Find_and_get_of_an_unknown_id_are_null()
    {
        Assert.Null(await _store.FindAsync(new KeyId("nobody"), Ct));
        Assert.Null(await _store.GetAsync(TenantId.Default, new KeyId("nobody"), Ct));
        Assert.Empty(await _store.ListAsync(new TenantId("nobody"), Ct));
    }

    [Fact]
    public async Task List_is_oldest_first()
    {
        foreach (var (id, age) in new[] { ("b", 2), ("c", 3), ("a", 1), ("z", 4) }) await _store.AddAsync(Key(Acme, id) with { CreatedAt = Now.AddMinutes(-age) }, Ct);

        Assert.Equal(["z", "c", "b", "a"], (await _store.ListAsync(Acme, Ct)).Select(key => key.Id.Value));
    }

    [Fact]
    public async Task Revoke_sets_the_time_and_a_second_one_keeps_it()
    {
        var key = Key(Acme, "k");
        await _store.AddAsync(key, Ct);

        Assert.True(await _store.RevokeAsync(Acme, key.Id, Now, Ct));
        Assert.True(await _store.RevokeAsync(Acme, key.Id, Now.AddHours(1), Ct));

        AssertSame(key with { RevokedAt = Now }, await _store.FindAsync(key.Id, Ct));
    }

    [Fact]
    public async Task Revoke_and_rotate_of_an_unknown_id_are_false()
    {
        await _store.AddAsync(Key(Acme, "other"), Ct);

        Assert.False(await _store.RevokeAsync(Acme, new KeyId("nobody"), Now, Ct));
        Assert.False(await _store.RotateAsync(Acme, new KeyId("nobody"), Hash(2), Now, Ct));
    }

    [Fact]
    public async Task Rotate_keeps_the_present_hash_as_previous()
    {
        var key = Key(Acme, "k");
        await _store.AddAsync(key, Ct);

        Assert.True(await _store.RotateAsync(Acme, key.Id, Hash(2), Now.AddDays(1), Ct));
        AssertSame(key with { Hash = Hash(2), PreviousHash = key.Hash, PreviousUntil = Now.AddDays(1) }, await _store.FindAsync(key.Id, Ct));

        Assert.True(await _store.RotateAsync(Acme, key.Id, Hash(3), Now.AddDays(2), Ct));
        AssertSame(key with { Hash = Hash(3), PreviousHash = Hash(2), PreviousUntil = Now.AddDays(2) }, await _store.FindAsync(key.Id, Ct));
    }

    [Fact]
    public async Task Rotate_refuses_a_revoked_key()
    {
        var key = Key(Acme, "k");
        await _store.AddAsync(key, Ct);
        await _store.RevokeAsync(Acme, key.Id, Now, Ct);

        Assert.False(await _store.RotateAsync(Acme, key.Id, Hash(2), Now.AddDays(1), Ct));

        AssertSame(key with { RevokedAt = Now }, await _store.FindAsync(key.Id, Ct));
    }

    [Fact]
    public async Task Hostile_texts_come_back_as_they_went_in()
    {
        var texts = HostileText.All;
        for (var i = 0; i < texts.Count; i++)
        {
            var key = Key(Acme, $"key-{i}") with { Name = texts[i], Project = new ProjectId(texts[i]), Models = [texts[i], "plain"], Tools = [texts[i], "plain"] };
            Assert.True(await _store.AddAsync(key, Ct));
            AssertSame(key, await _store.GetAsync(Acme, key.Id, Ct));
        }

        Assert.Equal(texts.Count, (await _store.ListAsync(Acme, Ct)).Count);
    }

    [Fact]
    public async Task Hostile_ids_name_only_themselves()
    {
        var ids = HostileText.All.Where(text => text.Length is > 0 and < 1_000).ToList();
        foreach (var id in ids) Assert.True(await _store.AddAsync(Key(new TenantId($"t-{id}"), id), Ct));

        foreach (var id in ids)
        {
            Assert.Equal(new TenantId($"t-{id}"), (await _store.FindAsync(new KeyId(id), Ct))?.Tenant);
            Assert.Equal(id, Assert.Single(await _store.ListAsync(new TenantId($"t-{id}"), Ct)).Id.Value);
        }
    }

    [Fact]
    public async Task Text_that_is_not_valid_is_refused_and_nothing_is_stored()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.AddAsync(Key(Acme, "k") with { Name = HostileText.Invalid }, Ct));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.AddAsync(Key(new TenantId(HostileText.Invalid), "k"), Ct));

        Assert.Null(await _store.FindAsync(new KeyId("k"), Ct));
    }

    private static KeyRecord Key(TenantId tenant, string id) => new()
    {
        Tenant = tenant,
        Project = ProjectId.Default,
        Id = new KeyId(id),
        Name = "a key",
        Hash = Hash(1),
        Scopes = Scopes.Complete,
        CreatedAt = Now,
    };

    private static ReadOnlyMemory<byte> Hash(byte fill) => Enumerable.Repeat(fill, 32).Select((value, i) => (byte)(value * 31 + i)).ToArray();

    /// <summary>Records compare their lists and memories by reference; these are compared by what they hold.</summary>
    private static void AssertSame(KeyRecord expected, KeyRecord? actual)
    {
        Assert.NotNull(actual);
        Assert.Equal(expected.Hash.ToArray(), actual.Hash.ToArray());
        Assert.Equal(expected.PreviousHash?.ToArray(), actual.PreviousHash?.ToArray());
        Assert.Equal(expected.Models, actual.Models);
        Assert.Equal(expected.Tools, actual.Tools);
        Assert.Equal(expected, actual with { Hash = expected.Hash, PreviousHash = expected.PreviousHash, Models = expected.Models, Tools = expected.Tools });
    }
}
