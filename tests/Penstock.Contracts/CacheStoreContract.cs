using System.Security.Cryptography;
using System.Text;
using Penstock.Gateway.Cache;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="ICacheStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class CacheStoreContract : IAsyncLifetime
{
    private const int LargestAnswer = 256 * 1024;

    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");
    private static readonly TenantId Rival = new("rival");

    private ICacheStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract ValueTask<ICacheStore> OpenAsync();

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
        var answer = Answer("Grüße 🦀\0 \"quoted\"") with { Tokens = new TokenCounts(1, 2, 3, 4, 5, 6), Cost = new Money(long.MaxValue) };

        await _store.PutAsync(Acme, Key("a"), answer, Ct);

        AssertSame(answer, await _store.FindAsync(Acme, Key("a"), Now, Ct));
    }

    [Fact]
    public async Task Find_knows_nothing_that_was_not_put() => Assert.Null(await _store.FindAsync(Acme, Key("a"), Now, Ct));

    [Fact]
    public async Task Find_never_crosses_a_tenant()
    {
        await _store.PutAsync(Acme, Key("a"), Answer("acme's"), Ct);
        Assert.Null(await _store.FindAsync(Rival, Key("a"), Now, Ct));

        await _store.PutAsync(Rival, Key("a"), Answer("rival's"), Ct);
        Assert.Equal("acme's", Text(await _store.FindAsync(Acme, Key("a"), Now, Ct)));
        Assert.Equal("rival's", Text(await _store.FindAsync(Rival, Key("a"), Now, Ct)));
    }

    [Fact]
    public async Task An_answer_is_there_to_the_millisecond_before_it_expires_and_not_at_it()
    {
        var answer = Answer("short") with { ExpiresAt = Now.AddSeconds(86_400) };
        await _store.PutAsync(Acme, Key("a"), answer, Ct);

        Assert.NotNull(await _store.FindAsync(Acme, Key("a"), answer.ExpiresAt.AddMilliseconds(-1), Ct));
        Assert.Null(await _store.FindAsync(Acme, Key("a"), answer.ExpiresAt, Ct));
        Assert.Null(await _store.FindAsync(Acme, Key("a"), answer.ExpiresAt.AddYears(1), Ct));
    }

    [Fact]
    public async Task Put_replaces_what_is_under_the_key()
    {
        await _store.PutAsync(Acme, Key("a"), Answer("long, and much longer than the other"), Ct);
        var second = Answer("short") with { At = Now.AddSeconds(1), Provider = "other", Model = "other", ContentType = "text/event-stream; charset=utf-8", Tokens = default, Cost = Money.Zero };

        await _store.PutAsync(Acme, Key("a"), second, Ct);

        AssertSame(second, await _store.FindAsync(Acme, Key("a"), Now, Ct));
    }

    [Fact]
    public async Task An_expired_answer_can_be_replaced_before_it_was_dropped()
    {
        await _store.PutAsync(Acme, Key("a"), Answer("old") with { ExpiresAt = Now.AddSeconds(-1) }, Ct);
        await _store.PutAsync(Acme, Key("a"), Answer("new"), Ct);

        Assert.Equal("new", Text(await _store.FindAsync(Acme, Key("a"), Now, Ct)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(LargestAnswer)]
    public async Task A_body_comes_back_byte_for_byte(int length)
    {
        var body = new byte[length];
        for (var i = 0; i < length; i++) body[i] = (byte)(i * 31);

        await _store.PutAsync(Acme, Key("a"), Answer("") with { Body = body }, Ct);

        Assert.True((await _store.FindAsync(Acme, Key("a"), Now, Ct))!.Body.Span.SequenceEqual(body));
    }

    [Fact]
    public async Task Trim_takes_nothing_that_is_in_time_and_within_the_bound()
    {
        await _store.PutAsync(Acme, Key("a"), Answer("kept"), Ct);
        await _store.PutAsync(Rival, Key("b"), Answer("past") with { ExpiresAt = Now }, Ct);

        await _store.TrimAsync(Now, 1 << 20, Ct);

        Assert.Equal("kept", Text(await _store.FindAsync(Acme, Key("a"), Now, Ct)));
        Assert.Null(await _store.FindAsync(Rival, Key("b"), Now, Ct));
        Assert.Equal(0, await _store.TrimAsync(Now, 1 << 20, Ct));
    }

    [Fact]
    public async Task Answers_put_at_once_are_one_of_them_whole()
    {
        var texts = Enumerable.Range(0, 32).Select(i => new string((char)('a' + (i % 26)), 1000 + i)).ToArray();

        await Task.WhenAll(texts.Select(text => Task.Run(() => _store.PutAsync(Acme, Key("a"), Answer(text), Ct))));

        Assert.Contains(Text(await _store.FindAsync(Acme, Key("a"), Now, Ct)), texts);
    }

    private static CacheKey Key(string name) => new(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name))));

    private static CachedAnswer Answer(string text) => new()
    {
        ContentType = "application/json",
        Body = Encoding.UTF8.GetBytes(text),
        Provider = "openai",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(10, 5),
        Cost = new Money(4_500),
        At = Now,
        ExpiresAt = Now.AddDays(1),
    };

    private static string Text(CachedAnswer? answer) => Encoding.UTF8.GetString(answer!.Body.Span);

    private static void AssertSame(CachedAnswer expected, CachedAnswer? found)
    {
        Assert.NotNull(found);
        Assert.Equal(Text(expected), Text(found));
        Assert.Equal(expected with { Body = default }, found with { Body = default });
    }
}
