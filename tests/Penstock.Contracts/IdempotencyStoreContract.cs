using System.Security.Cryptography;
using System.Text;
using Penstock.Idempotency;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IIdempotencyStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class IdempotencyStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly DateTimeOffset LeaseUntil = Now.AddSeconds(60);
    private static readonly DateTimeOffset KeepUntil = Now.AddHours(24);
    private static readonly IdempotencyName Name = new(new TenantId("acme"), new KeyId("k1"), "order 4711");
    private static readonly byte[] Answer = [1, 2, 3];

    private IIdempotencyStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract ValueTask<IIdempotencyStore> OpenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task The_first_claim_starts_and_an_equal_one_finds_it_running()
    {
        Assert.Equal(ClaimKind.Started, await ClaimAsync("a"));
        Assert.Equal(ClaimKind.Running, await ClaimAsync("b"));
    }

    [Fact]
    public async Task An_answer_is_what_an_equal_claim_finds()
    {
        await ClaimAsync("a");

        Assert.True(await _store.CompleteAsync(Name, "a", Answer, KeepUntil, Ct));

        var found = await _store.ClaimAsync(Claim("b"), Now, Ct);
        Assert.Equal(ClaimKind.Answered, found.Kind);
        Assert.Equal(Answer, found.Answer.ToArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Another_request_under_the_name_is_told_so(bool answered)
    {
        await ClaimAsync("a");
        if (answered) await _store.CompleteAsync(Name, "a", Answer, KeepUntil, Ct);

        Assert.Equal(ClaimKind.Other, (await _store.ClaimAsync(Claim("b", request: "other"), Now, Ct)).Kind);
        // Not even once nobody renews the first.
        Assert.Equal(ClaimKind.Other, (await _store.ClaimAsync(Claim("b", request: "other"), LeaseUntil.AddHours(1), Ct)).Kind);
        Assert.Equal(answered ? ClaimKind.Answered : ClaimKind.Running, await ClaimAsync("c"));
    }

    [Fact]
    public async Task Names_belong_to_one_key_of_one_tenant()
    {
        Assert.Equal(ClaimKind.Started, await ClaimAsync("a"));
        foreach (var other in new[] { Name with { Tenant = new TenantId("rival") }, Name with { Key = new KeyId("k2") }, Name with { Value = "Order 4711" } })
            Assert.Equal(ClaimKind.Started, (await _store.ClaimAsync(Claim("b", name: other), Now, Ct)).Kind);
    }

    [Fact]
    public async Task A_lease_that_ended_lets_the_same_request_run_again_and_shuts_the_first_out()
    {
        await ClaimAsync("a");
        Assert.Equal(ClaimKind.Running, await ClaimAsync("b", LeaseUntil.AddMilliseconds(-1)));

        Assert.Equal(ClaimKind.Started, await ClaimAsync("b", LeaseUntil));

        Assert.False(await _store.RenewAsync(Name, "a", LeaseUntil.AddHours(1), Ct));
        Assert.False(await _store.CompleteAsync(Name, "a", Answer, KeepUntil, Ct));
        await _store.ReleaseAsync(Name, "a", Ct);
        Assert.True(await _store.CompleteAsync(Name, "b", Answer, KeepUntil, Ct));
        Assert.Equal(ClaimKind.Answered, await ClaimAsync("c"));
    }

    [Fact]
    public async Task A_renewed_lease_holds_longer()
    {
        await ClaimAsync("a");

        Assert.True(await _store.RenewAsync(Name, "a", LeaseUntil.AddSeconds(20), Ct));

        Assert.Equal(ClaimKind.Running, await ClaimAsync("b", LeaseUntil.AddSeconds(19)));
        Assert.Equal(ClaimKind.Started, await ClaimAsync("b", LeaseUntil.AddSeconds(20)));
    }

    [Fact]
    public async Task A_released_name_is_anybodys()
    {
        await ClaimAsync("a");

        await _store.ReleaseAsync(Name, "a", Ct);

        Assert.False(await _store.RenewAsync(Name, "a", LeaseUntil, Ct));
        Assert.False(await _store.CompleteAsync(Name, "a", Answer, KeepUntil, Ct));
        Assert.Equal(ClaimKind.Started, (await _store.ClaimAsync(Claim("b", request: "other"), Now, Ct)).Kind);
    }

    [Fact]
    public async Task Release_frees_nobody_elses_claim()
    {
        await ClaimAsync("a");

        await _store.ReleaseAsync(Name, "b", Ct);

        Assert.Equal(ClaimKind.Running, await ClaimAsync("c"));
    }

    [Fact]
    public async Task An_answer_stands()
    {
        await ClaimAsync("a");
        await _store.CompleteAsync(Name, "a", Answer, KeepUntil, Ct);

        Assert.False(await _store.CompleteAsync(Name, "a", new byte[] { 9 }, KeepUntil, Ct));
        Assert.False(await _store.RenewAsync(Name, "a", LeaseUntil, Ct));
        await _store.ReleaseAsync(Name, "a", Ct);

        // Its lease means nothing any more.
        var found = await _store.ClaimAsync(Claim("b"), KeepUntil.AddMilliseconds(-1), Ct);
        Assert.Equal(Answer, found.Answer.ToArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Past_its_time_a_name_is_anybodys_dropped_or_not(bool dropped)
    {
        await ClaimAsync("a");
        await _store.CompleteAsync(Name, "a", Answer, KeepUntil, Ct);
        if (dropped) await _store.DropAsync(KeepUntil, Ct);

        var found = await _store.ClaimAsync(Claim("b", request: "other", keepUntil: KeepUntil.AddDays(1)), KeepUntil, Ct);

        Assert.Equal((ClaimKind.Started, 0), (found.Kind, found.Answer.Length));
        Assert.True(await _store.CompleteAsync(Name, "b", Answer, KeepUntil.AddDays(1), Ct));
    }

    [Fact]
    public async Task A_claim_that_was_never_answered_is_kept_for_its_time_too()
    {
        await ClaimAsync("a");
        await _store.DropAsync(KeepUntil.AddMilliseconds(-1), Ct);
        Assert.Equal(ClaimKind.Other, (await _store.ClaimAsync(Claim("b", request: "other"), KeepUntil.AddMilliseconds(-1), Ct)).Kind);

        await _store.DropAsync(KeepUntil, Ct);

        Assert.Equal(ClaimKind.Started, (await _store.ClaimAsync(Claim("b", request: "other", keepUntil: KeepUntil.AddDays(1)), KeepUntil.AddMilliseconds(-1), Ct)).Kind);
    }

    [Fact]
    public async Task Of_many_at_once_one_starts()
    {
        var kinds = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(() => ClaimAsync($"owner {i}"))));

        Assert.Single(kinds, ClaimKind.Started);
        Assert.Equal(63, kinds.Count(kind => kind == ClaimKind.Running));
    }

    [Fact]
    public async Task Of_many_that_take_over_at_once_one_starts()
    {
        await ClaimAsync("dead");

        var kinds = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(() => ClaimAsync($"owner {i}", LeaseUntil, LeaseUntil.AddSeconds(60)))));

        Assert.Single(kinds, ClaimKind.Started);
    }

    [Fact]
    public async Task Of_many_that_complete_at_once_one_does()
    {
        await ClaimAsync("a");

        var done = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() => _store.CompleteAsync(Name, "a", new[] { (byte)i }, KeepUntil, Ct))));

        var found = await _store.ClaimAsync(Claim("b"), Now, Ct);
        Assert.Equal(Array.IndexOf(done, true), found.Answer.Span[0]);
        Assert.Single(done, true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(400_001)]
    [InlineData(IIdempotencyStore.MostAnswerBytes)]
    public async Task An_answer_comes_back_byte_for_byte(int length)
    {
        var answer = new byte[length];
        for (var i = 0; i < length; i++) answer[i] = (byte)(i * 31);
        await ClaimAsync("a");

        Assert.True(await _store.CompleteAsync(Name, "a", answer, KeepUntil, Ct));

        var found = await _store.ClaimAsync(Claim("b"), Now, Ct);
        Assert.Equal(ClaimKind.Answered, found.Kind);
        Assert.True(found.Answer.Span.SequenceEqual(answer));
    }

    [Theory]
    [InlineData(" ")]
    [InlineData("'; DROP TABLE idempotency; --")]
    [InlineData("a|b\\c\"d#e/f%g*?[h]")]
    [InlineData("~")]
    public async Task A_name_may_be_any_printable_text(string value)
    {
        var name = Name with { Value = value };
        Assert.Equal(ClaimKind.Started, (await _store.ClaimAsync(Claim("a", name: name), Now, Ct)).Kind);
        Assert.True(await _store.CompleteAsync(name, "a", Answer, KeepUntil, Ct));

        Assert.Equal(ClaimKind.Answered, (await _store.ClaimAsync(Claim("b", name: name), Now, Ct)).Kind);
    }

    [Fact]
    public async Task A_name_may_have_255_characters()
    {
        var name = Name with { Value = new string('x', 255) };

        Assert.Equal(ClaimKind.Started, (await _store.ClaimAsync(Claim("a", name: name), Now, Ct)).Kind);
        Assert.Equal(ClaimKind.Started, (await _store.ClaimAsync(Claim("a", name: name with { Value = new string('x', 254) + "y" }), Now, Ct)).Kind);
    }

    private async Task<ClaimKind> ClaimAsync(string owner, DateTimeOffset? now = null, DateTimeOffset? leaseUntil = null) =>
        (await _store.ClaimAsync(Claim(owner) with { LeaseUntil = leaseUntil ?? (now > LeaseUntil ? now.Value.AddSeconds(60) : LeaseUntil) }, now ?? Now, Ct)).Kind;

    private static IdempotencyClaim Claim(string owner, string request = "request", IdempotencyName? name = null, DateTimeOffset? keepUntil = null) =>
        new(name ?? Name, SHA256.HashData(Encoding.UTF8.GetBytes(request)), owner, LeaseUntil, keepUntil ?? KeepUntil);
}
