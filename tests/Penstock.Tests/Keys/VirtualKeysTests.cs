using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Keys;
using Xunit;

namespace Penstock.Tests.Keys;

public sealed class VirtualKeysTests : IAsyncDisposable
{
    private const string Given = "sk-pen-root-" + Callers.Secret;

    private readonly EmbeddedStore _store = new();
    private readonly ManualTime _time = new();
    private readonly KeyRing _ring;
    private readonly VirtualKeys _keys;

    public VirtualKeysTests()
    {
        _ring = Callers.Ring(_store, _time);
        _keys = new VirtualKeys(_store.Keys, _ring, Callers.Vault(_store, _time), new IdSource(), _time);
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task The_first_start_makes_an_operator_and_the_second_does_not()
    {
        var made = await _keys.EnsureOperatorAsync(null, Ct);

        Assert.NotNull(made);
        Assert.Null(await _keys.EnsureOperatorAsync(null, Ct));
        var caller = await _ring.AuthenticateAsync(Callers.Request($"Bearer {made}"));
        Assert.True(caller.Has(Scopes.Operator | Scopes.Admin | Scopes.Complete | Scopes.Embed | Scopes.RunAgents));
        Assert.Single(await _store.Keys.ListAsync(TenantId.Default, Ct));
    }

    [Fact]
    public async Task Nothing_in_the_store_is_the_text_of_the_key()
    {
        var made = await _keys.EnsureOperatorAsync(null, Ct);

        var key = Assert.Single(await _store.Keys.ListAsync(TenantId.Default, Ct));
        Assert.Equal(32, key.Hash.Length);
        Assert.DoesNotContain(made!, key.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_operator_is_replaced_at_the_next_start()
    {
        var first = await _keys.EnsureOperatorAsync(null, Ct);
        Assert.True(KeyText.TryParse(first, out var text));
        await _keys.RevokeAsync(TenantId.Default, text.Id, Ct);

        Assert.NotNull(await _keys.EnsureOperatorAsync(null, Ct));
    }

    [Fact]
    public async Task An_expired_operator_is_replaced_at_the_next_start()
    {
        var expired = Callers.Key(Callers.Text("gone"), _time.GetUtcNow(), Scopes.Operator) with { ExpiresAt = _time.GetUtcNow() };
        await _store.Keys.AddAsync(expired, Ct);

        Assert.NotNull(await _keys.EnsureOperatorAsync(null, Ct));
    }

    [Fact]
    public async Task A_plain_admin_is_no_operator()
    {
        await _store.Keys.AddAsync(Callers.Key(Callers.Text("admin"), _time.GetUtcNow(), Scopes.Admin), Ct);

        Assert.NotNull(await _keys.EnsureOperatorAsync(null, Ct));
    }

    [Fact]
    public async Task A_given_key_is_the_operators_and_is_never_printed()
    {
        Assert.Null(await _keys.EnsureOperatorAsync(Given, Ct));
        Assert.Null(await _keys.EnsureOperatorAsync(Given, Ct));
        Assert.Null(await _keys.EnsureOperatorAsync(null, Ct));

        var caller = await _ring.AuthenticateAsync(Callers.Request($"Bearer {Given}"), Scopes.Operator);
        Assert.Equal("root", caller.Key.Id.Value);
    }

    [Fact]
    public async Task A_given_secret_that_changed_takes_the_place_of_the_old_one()
    {
        await _keys.EnsureOperatorAsync(Given, Ct);
        var changed = "sk-pen-root-" + new string('f', 32);

        await _keys.EnsureOperatorAsync(changed, Ct);

        await _ring.AuthenticateAsync(Callers.Request($"Bearer {changed}"), Scopes.Operator);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => _ring.AuthenticateAsync(Callers.Request($"Bearer {Given}")).AsTask());
        Assert.Equal(401, refused.Refusal.Status);
    }

    [Fact]
    public async Task A_given_key_that_was_revoked_is_refused()
    {
        await _keys.EnsureOperatorAsync(Given, Ct);
        await _keys.RevokeAsync(TenantId.Default, new KeyId("root"), Ct);

        var error = await Assert.ThrowsAnyAsync<Exception>(() => _keys.EnsureOperatorAsync(Given, Ct));

        Assert.Contains("'root', which is revoked", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Callers.Secret, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("default", Scopes.Complete)]
    [InlineData("default", Scopes.Admin)]
    [InlineData("acme", Scopes.Operator)]
    public async Task A_given_id_that_is_somebody_elses_is_refused_and_left_as_it_was(string tenant, Scopes scopes)
    {
        var theirs = Callers.Text("root", new string('e', 32));
        await _store.Keys.AddAsync(Callers.Key(theirs, _time.GetUtcNow(), scopes) with { Tenant = new TenantId(tenant) }, Ct);

        var error = await Assert.ThrowsAnyAsync<Exception>(() => _keys.EnsureOperatorAsync(Given, Ct));

        Assert.Contains("not an operator's", error.Message, StringComparison.Ordinal);
        await _ring.AuthenticateAsync(Callers.Request(theirs), scopes);
    }

    [Theory]
    [InlineData("letmein")]
    [InlineData("sk-pen-root-short")]
    [InlineData("sk-proj-root-" + Callers.Secret)]
    public async Task A_given_key_that_is_malformed_is_refused_without_repeating_it(string given)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => _keys.EnsureOperatorAsync(given, Ct));

        Assert.Contains("PENSTOCK_ADMIN_KEY must look like", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(given, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_key_cannot_be_rotated_back_to_life()
    {
        await _keys.EnsureOperatorAsync(Given, Ct);
        await _keys.RevokeAsync(TenantId.Default, new KeyId("root"), Ct);

        var refused = await Assert.ThrowsAsync<RefusedException>(() => _keys.RotateAsync(TenantId.Default, new KeyId("root"), TimeSpan.Zero, Ct));

        Assert.Equal(404, refused.Refusal.Status);
        Assert.Equal("key_not_found", refused.Refusal.Code);
    }

    [Fact]
    public async Task No_key_can_be_seen_or_changed_from_another_tenant()
    {
        await _keys.EnsureOperatorAsync(Given, Ct);
        var acme = new TenantId("acme");
        var root = new KeyId("root");

        Assert.Empty(await _keys.ListAsync(acme, Ct));
        Func<Task>[] acts = [() => _keys.GetAsync(acme, root, Ct), () => _keys.RevokeAsync(acme, root, Ct), () => _keys.RotateAsync(acme, root, TimeSpan.Zero, Ct)];
        foreach (var act in acts) Assert.Equal(404, (await Assert.ThrowsAsync<RefusedException>(act)).Refusal.Status);
        await _ring.AuthenticateAsync(Callers.Request($"Bearer {Given}"));
    }
}
