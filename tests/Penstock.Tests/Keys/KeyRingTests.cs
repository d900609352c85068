using Penstock.Contracts;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Xunit;

namespace Penstock.Tests.Keys;

public sealed class KeyRingTests : IAsyncDisposable
{
    private const string UnknownText = "The API key is unknown or revoked.";

    private readonly EmbeddedStore _store = new();
    private readonly ManualTime _time = new();
    private readonly KeyRing _ring;

    public KeyRingTests() => _ring = Callers.Ring(_store, _time);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Theory]
    [InlineData("Bearer {0}", null)]
    [InlineData("bearer {0}", null)]
    [InlineData("BEARER   {0}  ", null)]
    [InlineData(null, "{0}")]
    [InlineData("Basic dXNlcjpwYXNz", "{0}")]
    public async Task A_valid_key_is_found_in_either_header(string? authorization, string? apiKey)
    {
        var key = await AddAsync("a");
        var http = Callers.Request(authorization?.Replace("{0}", key.Text, StringComparison.Ordinal), apiKey?.Replace("{0}", key.Text, StringComparison.Ordinal));

        var caller = await _ring.AuthenticateAsync(http, Scopes.Complete);

        Assert.Equal("a", caller.Key.Id.Value);
        Assert.Equal(TenantId.Default, caller.Tenant);
        Assert.Equal(key.Id, RequestScope.Of(http).Key);
    }

    [Theory]
    [InlineData(null, null, "No API key was sent.")]
    [InlineData("", "", "No API key was sent.")]
    [InlineData("Bearer", null, "No API key was sent.")]
    [InlineData("Basic dXNlcjpwYXNz", null, "No API key was sent.")]
    [InlineData("Bearer ", null, "The API key is malformed")]
    [InlineData("Bearer sk-proj-123", null, "The API key is malformed")]
    [InlineData(null, "hello", "The API key is malformed")]
    [InlineData("Bearer sk-pen-nobody-" + Callers.Secret, null, UnknownText)]
    [InlineData("Bearer sk-pen-a-ffffffffffffffffffffffffffffffff", null, UnknownText)]
    public async Task What_does_not_authenticate_is_401_and_says_why(string? authorization, string? apiKey, string message)
    {
        await AddAsync("a");
        var http = Callers.Request(authorization, apiKey);

        var refusal = await RefusedAsync(() => _ring.AuthenticateAsync(http).AsTask());

        Assert.Equal(401, refusal.Status);
        Assert.Equal("invalid_api_key", refusal.Code);
        Assert.StartsWith(message, refusal.Message, StringComparison.Ordinal);
        Assert.False(refusal.Retryable);
        Assert.Null(RequestScope.Of(http).Key);
    }

    [Fact]
    public async Task Two_authorization_headers_are_refused_and_not_picked_from()
    {
        var key = await AddAsync("a");
        var http = Callers.Request(key);
        http.Request.Headers.Authorization = new([$"Bearer {key.Text}", "Bearer other"]);

        Assert.Equal(401, (await RefusedAsync(() => _ring.AuthenticateAsync(http).AsTask())).Status);
    }

    [Fact]
    public async Task A_refusal_never_repeats_what_was_sent()
    {
        foreach (var sent in HostileText.All.Append("sk-pen-a-" + new string('s', 300)).Where(text => text.Length > 2))
        {
            var refusal = await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request("Bearer " + sent)).AsTask());

            Assert.Equal(401, refusal.Status);
            Assert.DoesNotContain(sent, refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_missing_scope_is_403_and_is_named()
    {
        var key = await AddAsync("a", scopes: Scopes.Complete);

        var refusal = await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(key), Scopes.Embed).AsTask());

        Assert.Equal(403, refusal.Status);
        Assert.Equal("missing_scope", refusal.Code);
        Assert.Contains("'ai:embed'", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Callers.Secret, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_scope_opens_itself_alone()
    {
        Scopes[] all = [Scopes.Complete, Scopes.Embed, Scopes.RunAgents, Scopes.Admin, Scopes.Operator];
        foreach (var held in all)
        {
            var key = await AddAsync($"only{(int)held}", scopes: held);
            foreach (var needed in all)
            {
                if (needed == held) await _ring.AuthenticateAsync(Callers.Request(key), needed);
                else Assert.Equal(403, (await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(key), needed).AsTask())).Status);
            }
        }
    }

    [Fact]
    public async Task A_key_expires_at_its_instant_also_while_it_is_remembered()
    {
        var key = await AddAsync("a", expiresIn: TimeSpan.FromSeconds(2));

        _time.Advance(TimeSpan.FromSeconds(2) - TimeSpan.FromMilliseconds(1));
        await _ring.AuthenticateAsync(Callers.Request(key));
        _time.Advance(TimeSpan.FromMilliseconds(1));

        var refusal = await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(key)).AsTask());
        Assert.Equal(401, refusal.Status);
        Assert.Equal("The API key 'a' expired on 2026-11-21.", refusal.Message);
    }

    [Fact]
    public async Task Somebody_with_a_wrong_secret_is_not_told_that_the_key_expired()
    {
        await AddAsync("a", expiresIn: TimeSpan.FromSeconds(-1));

        var refusal = await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(Callers.Text("a", new string('f', 32)))).AsTask());

        Assert.Equal(UnknownText, refusal.Message);
    }

    [Fact]
    public async Task A_key_revoked_elsewhere_dies_within_five_seconds()
    {
        var key = await AddAsync("a");
        await _ring.AuthenticateAsync(Callers.Request(key));
        await _store.Keys.RevokeAsync(TenantId.Default, key.Id, _time.GetUtcNow(), Ct);

        _time.Advance(TimeSpan.FromSeconds(5) - TimeSpan.FromTicks(1));
        await _ring.AuthenticateAsync(Callers.Request(key));
        _time.Advance(TimeSpan.FromTicks(1));

        Assert.Equal(UnknownText, (await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(key)).AsTask())).Message);
    }

    [Fact]
    public async Task Use_does_not_make_a_remembered_key_younger()
    {
        var key = await AddAsync("a");
        await _ring.AuthenticateAsync(Callers.Request(key));
        await _store.Keys.RevokeAsync(TenantId.Default, key.Id, _time.GetUtcNow(), Ct);
        for (var second = 0; second < 4; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await _ring.AuthenticateAsync(Callers.Request(key));
        }

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(401, (await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(key)).AsTask())).Status);
    }

    [Fact]
    public async Task A_key_revoked_here_dies_at_once()
    {
        var key = await AddAsync("a");
        var keys = new VirtualKeys(_store.Keys, _ring, Callers.Vault(_store, _time), new IdSource(), _time);
        await _ring.AuthenticateAsync(Callers.Request(key));

        await keys.RevokeAsync(TenantId.Default, key.Id, Ct);

        Assert.Equal(UnknownText, (await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(key)).AsTask())).Message);
    }

    [Fact]
    public async Task After_a_rotation_both_secrets_work_until_the_grace_ends()
    {
        var old = await AddAsync("a");
        var keys = new VirtualKeys(_store.Keys, _ring, Callers.Vault(_store, _time), new IdSource(), _time);
        await _ring.AuthenticateAsync(Callers.Request(old));

        var fresh = await keys.RotateAsync(TenantId.Default, old.Id, TimeSpan.FromSeconds(60), Ct);

        Assert.Equal(old.Id, fresh.Id);
        Assert.NotEqual(old.Text, fresh.Text);
        await _ring.AuthenticateAsync(Callers.Request(fresh));
        _time.Advance(TimeSpan.FromSeconds(60) - TimeSpan.FromMilliseconds(1));
        await _ring.AuthenticateAsync(Callers.Request(old));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(401, (await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(old)).AsTask())).Status);
        await _ring.AuthenticateAsync(Callers.Request(fresh));
    }

    [Fact]
    public async Task Without_grace_the_old_secret_dies_at_once()
    {
        var old = await AddAsync("a");
        var keys = new VirtualKeys(_store.Keys, _ring, Callers.Vault(_store, _time), new IdSource(), _time);
        await _ring.AuthenticateAsync(Callers.Request(old));

        var fresh = await keys.RotateAsync(TenantId.Default, old.Id, TimeSpan.Zero, Ct);

        Assert.Equal(401, (await RefusedAsync(() => _ring.AuthenticateAsync(Callers.Request(old)).AsTask())).Status);
        await _ring.AuthenticateAsync(Callers.Request(fresh));
    }

    [Fact]
    public async Task A_secret_rotated_elsewhere_works_here_at_once()
    {
        var old = await AddAsync("a");
        await _ring.AuthenticateAsync(Callers.Request(old));
        var elsewhere = new VirtualKeys(_store.Keys, Callers.Ring(_store, _time), Callers.Vault(_store, _time), new IdSource(), _time);

        var fresh = await elsewhere.RotateAsync(TenantId.Default, old.Id, TimeSpan.FromSeconds(60), Ct);

        await _ring.AuthenticateAsync(Callers.Request(fresh));
        await _ring.AuthenticateAsync(Callers.Request(old));
    }

    [Fact]
    public async Task A_key_is_no_key_of_the_tenant_it_was_not_made_in()
    {
        var key = Callers.Text("a");
        await _store.Keys.AddAsync(Callers.Key(key, _time.GetUtcNow()) with { Tenant = new TenantId("acme") }, Ct);

        Assert.Equal("acme", (await _ring.AuthenticateAsync(Callers.Request(key))).Tenant.Value);
    }

    [Fact]
    public async Task More_keys_than_are_remembered_all_authenticate()
    {
        var keys = await Task.WhenAll(Enumerable.Range(0, 10_050).Select(async i => await AddAsync($"k{i}")));

        foreach (var key in keys) await _ring.AuthenticateAsync(Callers.Request(key));

        await _ring.AuthenticateAsync(Callers.Request(keys[0]));
    }

    private async Task<KeyText> AddAsync(string id, Scopes scopes = Scopes.Complete, TimeSpan? expiresIn = null)
    {
        var text = Callers.Text(id);
        var now = _time.GetUtcNow();
        Assert.True(await _store.Keys.AddAsync(Callers.Key(text, now, scopes) with { ExpiresAt = expiresIn is { } span ? now + span : null }, Ct));
        return text;
    }

    private static async Task<Refusal> RefusedAsync(Func<Task> act) => (await Assert.ThrowsAsync<RefusedException>(act)).Refusal;
}
