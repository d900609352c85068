using System.Text;
using Penstock.Blobs;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IBlobStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class BlobStoreContract : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");
    private static readonly TenantId Other = new("other");

    private IBlobStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract ValueTask<IBlobStore> OpenAsync();

    /// <summary>The same store, as another process finds it.</summary>
    protected abstract ValueTask<IBlobStore> ReopenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(70_000)]
    [InlineData(6_000_000)]
    public async Task What_was_put_is_got_byte_for_byte_also_by_another(int length)
    {
        var body = Bytes(length);
        await _store.PutAsync(Acme, new BlobName("runs/r1/body"), body, Ct);

        Assert.Equal(body, await GetAsync("runs/r1/body"));

        _store = await ReopenAsync();
        Assert.Equal(body, await GetAsync("runs/r1/body"));
    }

    [Fact]
    public async Task What_nobody_put_is_null()
    {
        await PutAsync("a/b/c", "there");

        Assert.Null(await GetAsync("a/b/d"));
        Assert.Null(await GetAsync("a/b"));
        Assert.Null(await GetAsync("a"));
        Assert.Null(await GetAsync("a/b/c/d"));
        Assert.NotNull(await GetAsync("a/b/c"));
    }

    [Fact]
    public async Task The_same_body_may_be_put_again()
    {
        await PutAsync("a", "one");
        await PutAsync("a", "one");

        Assert.Equal("one", await TextAsync("a"));
    }

    [Theory]
    [InlineData("two")]
    [InlineData("")]
    [InlineData("one more")]
    public async Task Another_body_is_refused_and_changes_nothing(string other)
    {
        await PutAsync("a", "one");

        var refused = await Assert.ThrowsAsync<RefusedException>(() => PutAsync("a", other));

        Assert.Equal("blob_taken", refused.Refusal.Code);
        Assert.Equal(RefusalKind.Conflict, refused.Refusal.Kind);
        Assert.Equal("one", await TextAsync("a"));
    }

    [Fact]
    public async Task Of_many_who_put_at_once_one_wins_and_the_others_are_told()
    {
        var bodies = Enumerable.Range(0, 16).Select(i => Encoding.UTF8.GetBytes($"body {i % 8} {new string('x', 10_000)}")).ToArray();

        var puts = await Task.WhenAll(bodies.Select(async body =>
        {
            try
            {
                await _store.PutAsync(Acme, new BlobName("raced/a"), body, Ct);
                return body;
            }
            catch (RefusedException)
            {
                return null;
            }
        }));

        var won = await GetAsync("raced/a");
        Assert.NotNull(won);
        Assert.Contains(puts, put => put is not null);
        Assert.All(puts.OfType<byte[]>(), put => Assert.Equal(won, put));
        // Whoever put what is there was not refused.
        Assert.Equal(bodies.Count(body => body.AsSpan().SequenceEqual(won)), puts.Count(put => put is not null));
    }

    [Fact]
    public async Task Tenants_do_not_see_each_other()
    {
        await PutAsync("a/b", "acme's");
        await _store.PutAsync(Other, new BlobName("a/b"), "other's"u8.ToArray(), Ct);

        Assert.Equal("acme's", await TextAsync("a/b"));
        Assert.Equal("other's", await TextAsync("a/b", Other));

        await _store.RemoveAsync(Other, "a/", Ct);
        Assert.Equal("acme's", await TextAsync("a/b"));
        Assert.Null(await GetAsync("a/b", Other));
    }

    [Fact]
    public async Task A_tenant_may_be_called_anything()
    {
        TenantId[] tenants = [new(".."), new("../acme"), new("a/b"), new("a"), new("A"), new("acme/a"), new("ä ü\n%2f"), new(new string('t', 200))];
        for (var i = 0; i < tenants.Length; i++) await _store.PutAsync(tenants[i], new BlobName("b/c"), new[] { (byte)i }, Ct);

        for (var i = 0; i < tenants.Length; i++) Assert.Equal([(byte)i], (await GetAsync("b/c", tenants[i]))!);
        Assert.Null(await GetAsync("a/b/c"));
    }

    [Fact]
    public async Task Names_that_look_alike_are_different_blobs()
    {
        string[] names =
        [
            "a", "A", "a.", "a..b", ".a", "a/b", "a/B", "a.b", "a_b", "a-b", "-", "_", "a/a", "a/a/a", "con", "nul.txt",
            new string('x', 300), new string('x', 301), new string('x', 255), $"{new string('x', 255)}/x", new string('X', BlobName.Longest), $"{new string('x', 400)}/{new string('y', 111)}",
        ];
        foreach (var name in names) await PutAsync(name, $"of {name}");

        foreach (var name in names) Assert.Equal($"of {name}", await TextAsync(name));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/..")]
    [InlineData("../a")]
    [InlineData("a/../b")]
    [InlineData("a/.../b")]
    [InlineData("a\\b")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("a\0b")]
    [InlineData("a%2e")]
    [InlineData("a~")]
    [InlineData("a:b")]
    public async Task What_is_no_name_reaches_nothing(string name)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _store.PutAsync(Acme, new BlobName(name), "x"u8.ToArray(), Ct));
        await Assert.ThrowsAsync<ArgumentException>(() => _store.GetAsync(Acme, new BlobName(name), Ct));
        await Assert.ThrowsAsync<ArgumentException>(() => _store.RemoveAsync(Acme, $"{name}/", Ct));
    }

    [Fact]
    public async Task A_name_that_is_too_long_reaches_nothing()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _store.PutAsync(Acme, new BlobName(new string('x', BlobName.Longest + 1)), "x"u8.ToArray(), Ct));
        await PutAsync(new string('x', BlobName.Longest), "fits");
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    public async Task Only_a_folder_is_removed(string folder)
    {
        await PutAsync("a", "file");

        await Assert.ThrowsAsync<ArgumentException>(() => _store.RemoveAsync(Acme, folder, Ct));
        Assert.Equal("file", await TextAsync("a"));
    }

    [Fact]
    public async Task A_folder_is_removed_with_all_below_it_and_nothing_else()
    {
        string[] below = ["runs/r1/a", "runs/r1/b", "runs/r1/deep/er/c"];
        string[] beside = ["runs/r1", "runs/r10/a", "runs/r1.a", "runs/r2/a", "runs/R1/a", "r1/a"];
        foreach (var name in below.Concat(beside)) await PutAsync(name, name);

        await _store.RemoveAsync(Acme, "runs/r1/", Ct);

        foreach (var name in below) Assert.Null(await GetAsync(name));
        foreach (var name in beside) Assert.Equal(name, await TextAsync(name));
        _store = await ReopenAsync();
        foreach (var name in below) Assert.Null(await GetAsync(name));
        foreach (var name in beside) Assert.Equal(name, await TextAsync(name));
    }

    [Fact]
    public async Task More_than_a_page_of_blobs_is_removed()
    {
        await Task.WhenAll(Enumerable.Range(0, 1_100).Select(i => PutAsync($"many/{i}", "x")));
        await PutAsync("kept/1", "x");

        await _store.RemoveAsync(Acme, "many/", Ct);

        foreach (var i in new[] { 0, 500, 999, 1_000, 1_099 }) Assert.Null(await GetAsync($"many/{i}"));
        Assert.Equal("x", await TextAsync("kept/1"));
    }

    [Fact]
    public async Task Removing_what_is_not_there_is_no_error_and_a_removed_name_is_free()
    {
        await _store.RemoveAsync(Acme, "never/was/", Ct);
        await PutAsync("a/b", "one");
        await _store.RemoveAsync(Acme, "a/", Ct);
        await _store.RemoveAsync(Acme, "a/", Ct);

        await PutAsync("a/b", "two");

        Assert.Equal("two", await TextAsync("a/b"));
    }

    private Task PutAsync(string name, string body) => _store.PutAsync(Acme, new BlobName(name), Encoding.UTF8.GetBytes(body), Ct);

    private async Task<byte[]?> GetAsync(string name, TenantId? tenant = null) => (await _store.GetAsync(tenant ?? Acme, new BlobName(name), Ct))?.ToArray();

    private async Task<string?> TextAsync(string name, TenantId? tenant = null) => await GetAsync(name, tenant) is { } body ? Encoding.UTF8.GetString(body) : null;

    private static byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++) bytes[i] = (byte)((i * 31) ^ (i >> 8));
        return bytes;
    }
}
