using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Sqlite;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Keys;

/// <summary>Provider keys that are stored for callers: who may store them, which call goes out with which, and where none of them can be read.</summary>
public sealed class StoredKeyTests
{
    private const string Own = "sk-own-0123456789abcdefghijklmnop-own1";
    private const string Shared = "sk-tenant-0123456789abcdefghijklmnop-ten1";
    private const string Sent = "sk-sent-0123456789abcdefghijklmnop-sent";
    private const string Platform = "sk-upstream";
    private const string OfKey = "/v1/auth/keys/web/providers/openai";
    private const string OfTenant = "/v1/auth/providers/openai";

    private readonly ConcurrentQueue<string?> _used = [];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_goes_out_with_the_key_that_was_sent_else_the_caller_s_else_the_tenant_s_else_the_platform_s()
    {
        await using var host = await StartAsync();
        var key = await host.AddKeyAsync("web", Scopes.Complete | Scopes.Embed);

        Assert.Equal(200, (await host.ChatAsync(key: key)).Status);
        await PutAsync(host, OfTenant, Shared);
        Assert.Equal(200, (await host.ChatAsync(key: key)).Status);
        await PutAsync(host, OfKey, Own);
        Assert.Equal(200, (await host.ChatAsync(key: key, stream: true)).Status);
        Assert.Equal(200, (await host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(), key, ("x-penstock-provider-key", Sent))).Status);
        Assert.Equal(200, (await host.ChatAsync("local", key: key)).Status);
        Assert.Equal(204, (await host.SendAsync(HttpMethod.Delete, OfKey)).Status);
        Assert.Equal(200, (await host.ChatAsync(key: key)).Status);
        Assert.Equal(204, (await host.SendAsync(HttpMethod.Delete, OfTenant)).Status);
        Assert.Equal(200, (await host.ChatAsync(key: key)).Status);

        Assert.Equal([Platform, Shared, Own, Sent, Shared, Platform], _used);
        var rows = (await host.RowsAsync()).Where(row => row.Provider == "openai").ToArray();
        Assert.Equal(4, rows.Count(row => row is { OwnKey: true, Cost.NanoDollars: 0, Avoided.NanoDollars: > 0 }));
        Assert.Equal(2, rows.Count(row => row is { OwnKey: false, Cost.NanoDollars: > 0 }));
    }

    [Fact]
    public async Task A_stored_key_costs_the_platform_nothing_and_needs_no_budget()
    {
        await using var host = await StartAsync();
        var key = await host.AddKeyAsync("web", change: record => record with { MonthlyBudget = Money.Zero });
        Assert.Equal(402, (await host.ChatAsync(key: key)).Status);

        await PutAsync(host, OfKey, Own);

        Assert.Equal(200, (await host.ChatAsync(key: key)).Status);
        var usage = (await host.GetAsync("/v1/usage", key)).Json;
        Assert.Equal((0m, 1), (usage.GetProperty("totalCost").GetDecimal(), usage.GetProperty("ownKey").GetProperty("requests").GetInt32()));
        Assert.True(usage.GetProperty("ownKey").GetProperty("cost").GetDecimal() > 0);
    }

    [Fact]
    public async Task A_provider_at_which_the_platform_has_no_key_serves_those_who_have()
    {
        await using var host = await StartAsync(config: """{"providers": {"openai": {}}}""");
        var key = await host.AddKeyAsync("web");
        await PutAsync(host, OfKey, Own);

        Assert.Equal(200, (await host.ChatAsync(key: key)).Status);
        Assert.Equal(200, (await host.ChatAsync()).Status);

        Assert.Equal([Own, null], _used);
    }

    [Fact]
    public async Task What_is_stored_is_shown_by_its_last_four_characters_only()
    {
        await using var host = await StartAsync();
        await host.AddKeyAsync("web");
        Assert.Equal(404, (await host.GetAsync(OfKey)).Status);

        var put = await PutAsync(host, OfKey, Own);
        var got = await host.GetAsync(OfKey);

        Assert.Equal(put.Body, got.Body);
        var master = new MasterKey(Convert.FromBase64String(Callers.MasterKey)).Id;
        Assert.Equal($$"""{"provider":"openai","tenant":"default","keyId":"web","ending":"own1","storedAt":"2026-11-21T12:00:00+00:00","masterKey":"{{master}}"}""", got.Body);
        Assert.DoesNotContain("keyId", (await PutAsync(host, OfTenant, Shared)).Body, StringComparison.Ordinal);
        Assert.Equal((204, 404, 404), ((await host.SendAsync(HttpMethod.Delete, OfKey)).Status, (await host.SendAsync(HttpMethod.Delete, OfKey)).Status, (await host.GetAsync(OfKey)).Status));
    }

    [Theory]
    [InlineData("{}", "apiKey")]
    [InlineData("""{"apiKey": null}""", "apiKey")]
    [InlineData("""{"apiKey": 5}""", "apiKey")]
    [InlineData("""{"apiKey": "short"}""", "apiKey")]
    [InlineData("""{"apiKey": "sk-with a blank"}""", "apiKey")]
    [InlineData("""{"apiKey": "sk-with-a-ünicode"}""", "apiKey")]
    [InlineData("""{"apiKey": "sk-0123456789", "model": "x"}""", "model")]
    public async Task What_is_no_key_is_refused_by_field_and_not_repeated(string body, string field)
    {
        await using var host = await StartAsync();
        await host.AddKeyAsync("web");

        var answer = await host.SendAsync(HttpMethod.Put, OfKey, body);

        Assert.Equal((400, field), (answer.Status, answer.Text("field")));
        Assert.DoesNotContain("sk-", answer.Body, StringComparison.Ordinal);
        Assert.Equal(404, (await host.GetAsync(OfKey)).Status);
    }

    [Fact]
    public async Task Only_an_admin_of_the_tenant_stores_and_only_for_a_provider_that_takes_a_key()
    {
        await using var host = await StartAsync();
        await host.AddKeyAsync("web");
        var (plain, admin) = (await host.AddKeyAsync("plain"), await host.AddKeyAsync("boss", Scopes.Admin));
        var rival = await host.AddKeyAsync("rival", Scopes.Admin, key => key with { Tenant = new TenantId("rival") });
        const string Body = $$"""{"apiKey": "{{Own}}"}""";

        foreach (var path in new[] { OfKey, OfTenant })
        {
            foreach (var method in new[] { HttpMethod.Put, HttpMethod.Get, HttpMethod.Delete })
            {
                var body = method == HttpMethod.Put ? Body : null;
                Assert.Equal(401, (await host.SendAsync(method, path, body, null)).Status);
                Assert.Equal(403, (await host.SendAsync(method, path, body, plain)).Status);
                Assert.Equal(403, (await host.SendAsync(method, path + "?tenant=default", body, rival)).Status);
            }
        }

        Assert.Equal(404, (await host.SendAsync(HttpMethod.Put, OfKey, Body, rival)).Status);
        Assert.Equal(200, (await host.SendAsync(HttpMethod.Put, OfTenant, Body, rival)).Status);
        Assert.Equal(404, (await host.GetAsync(OfTenant, admin)).Status);
        Assert.Equal(200, (await host.SendAsync(HttpMethod.Put, OfKey, Body, admin)).Status);
        Assert.Equal(403, (await host.SendAsync(HttpMethod.Put, "/v1/auth/keys/root/providers/openai", Body, admin)).Status);
        Assert.Equal(404, (await host.SendAsync(HttpMethod.Put, "/v1/auth/keys/nobody/providers/openai", Body)).Status);
        foreach (var provider in new[] { "opanai", "local", "a%20b", new string('a', 65) })
        {
            var refused = await host.SendAsync(HttpMethod.Put, $"/v1/auth/keys/web/providers/{provider}", Body);
            Assert.Equal((400, "provider"), (refused.Status, refused.Text("field")));
        }

        Assert.Contains("openai", (await host.SendAsync(HttpMethod.Put, "/v1/auth/providers/opanai", Body)).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_key_leaves_none_of_its_own_behind()
    {
        await using var host = await StartAsync();
        await host.AddKeyAsync("web");
        await PutAsync(host, OfKey, Own);
        await PutAsync(host, OfTenant, Shared);

        Assert.Equal(204, (await host.SendAsync(HttpMethod.Delete, "/v1/auth/keys/web")).Status);

        var store = host.Services.GetRequiredService<IProviderKeyStore>();
        Assert.Empty(await store.ListAsync(TenantId.Default, new KeyId("web"), Ct));
        Assert.Single(await store.ListAsync(TenantId.Default, null, Ct));
    }

    [Fact]
    public async Task A_key_that_does_not_open_is_told_and_the_platform_does_not_pay_in_its_place()
    {
        await using var host = await StartAsync();
        var key = await host.AddKeyAsync("web");
        var stranger = new MasterKey(new byte[32]);
        await host.Services.GetRequiredService<IProviderKeyStore>().PutAsync(SealedProviderKey.Seal(stranger, new ProviderKeyName(TenantId.Default, new KeyId("web"), "openai"), Own, host.Time.GetUtcNow()), Ct);

        var answer = await host.ChatAsync(key: key);

        Assert.Equal(503, answer.Status);
        Assert.Contains(stranger.Id, answer.Body, StringComparison.Ordinal);
        Assert.Empty(_used);
        Assert.Empty(await host.RowsAsync());
    }

    [Fact]
    public async Task A_stored_key_that_its_provider_refuses_is_named_as_such()
    {
        await using var host = await StartAsync(_ => Frames.Then(new ProviderException(ProviderFault.Unauthorized, $"Incorrect API key provided: {Own}", 401)));
        var key = await host.AddKeyAsync("web");
        await PutAsync(host, OfKey, Own);

        var answer = await host.ChatAsync(key: key);

        Assert.Equal(401, answer.Status);
        Assert.Contains("stored for this caller", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(Own, answer.Body, StringComparison.Ordinal);
    }

    /// <summary>S07: a dump of the store holds no key, and neither does anything that anybody is told.</summary>
    [Fact]
    public async Task No_stored_key_stands_in_a_log_a_file_an_answer_or_a_metric()
    {
        await using var host = await StartAsync();
        var key = await host.AddKeyAsync("web");
        var said = new StringBuilder();
        foreach (var (path, text) in new[] { (OfKey, Own), (OfTenant, Shared) }) said.Append((await PutAsync(host, path, text)).Body);
        said.Append((await host.ChatAsync(key: key)).Body);
        said.Append((await host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(), key, ("x-penstock-provider-key", Sent), ("x-penstock-cache", "on"), ("Idempotency-Key", "once"))).Body);
        foreach (var path in new[] { OfKey, OfTenant, "/v1/auth/keys", "/v1/usage/attempts", "/metrics" }) said.Append((await host.GetAsync(path)).Body);

        Assert.Equal([Own, Sent], _used);
        var database = host.Services.GetRequiredService<SqliteDatabase>().File;
        var log = string.Join('\n', host.Log.Lines);
        foreach (var text in new[] { Own, Shared, Sent })
        {
            Assert.DoesNotContain(text, said.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain(text, log, StringComparison.Ordinal);
            Assert.All(Directory.GetFiles(Path.GetDirectoryName(database)!, "penstock.db*"), file => Assert.False(Holds(file, text), $"{file} holds a provider's key"));
        }

        // The controls: the search finds what is there.
        Assert.Contains(Directory.GetFiles(Path.GetDirectoryName(database)!, "penstock.db*"), file => Holds(file, "own1"));
        Assert.Contains("own1", said.ToString(), StringComparison.Ordinal);
    }

    /// <summary>B09: on a flat load each side of the split is exact to the nano-dollar.</summary>
    [Fact]
    public async Task The_projection_of_own_keys_and_of_the_platform_is_exact_on_a_flat_load()
    {
        var time = new ManualTime(new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero));
        await using var host = await StartAsync(time: time);
        var (bringing, plain) = (await host.AddKeyAsync("web"), await host.AddKeyAsync("plain"));
        await PutAsync(host, OfKey, Own);
        for (var day = 0; day < 10; day++)
        {
            foreach (var key in new[] { bringing, bringing, plain }) Assert.Equal(200, (await host.ChatAsync(key: key)).Status);
            host.Advance(TimeSpan.FromDays(1));
        }

        var (row, own) = ((await host.RowsAsync()).First(found => !found.OwnKey), (await host.RowsAsync()).First(found => found.OwnKey));
        var projection = (await host.GetAsync("/v1/usage")).Json.GetProperty("projection");

        Assert.Equal(row.Cost, own.Avoided);
        Assert.Equal((row.Cost.Usd * 10, row.Cost.Usd * 30), Side("platform"));
        Assert.Equal((row.Cost.Usd * 20, row.Cost.Usd * 60), Side("ownKey"));
        Assert.Equal((0m, 0m), Side("platform", (await host.GetAsync("/v1/usage", bringing)).Json.GetProperty("projection")));

        (decimal Spent, decimal Projected) Side(string name, System.Text.Json.JsonElement? of = null) =>
            ((of ?? projection).GetProperty(name).GetProperty("spent").GetDecimal(), (of ?? projection).GetProperty(name).GetProperty("projected").GetDecimal());
    }

    private Task<GatewayHost> StartAsync(Func<ProviderCall, IAsyncEnumerable<ProviderFrame>>? chat = null, ManualTime? time = null, string? config = null) => GatewayHost.StartAsync(
        time,
        config,
        change: services =>
        {
            services.RemoveAll<IProviderKind>();
            services.AddSingleton<IProviderKind>(new SeeingKind("openai", Dialect.OpenAi, _used, chat));
            services.AddSingleton<IProviderKind>(new SeeingKind("local", Dialect.Native, [], chat));
        },
        environment: ("PENSTOCK_MASTER_KEY", Callers.MasterKey));

    private static async Task<Answer> PutAsync(GatewayHost host, string path, string text)
    {
        var answer = await host.SendAsync(HttpMethod.Put, path, $$"""{"apiKey": "{{text}}"}""");
        Assert.Equal(200, answer.Status);
        return answer;
    }

    private static bool Holds(string file, string text)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;
    }

    /// <summary>Notes the key with which each call goes out.</summary>
    private sealed class SeeingKind(string kind, Dialect dialect, ConcurrentQueue<string?> used, Func<ProviderCall, IAsyncEnumerable<ProviderFrame>>? chat) : IProviderKind
    {
        public string Kind => kind;

        public IChatProvider Create(ProviderSettings settings) => new ScriptedProvider(settings, dialect, new Script
        {
            Chat = (call, _) =>
            {
                used.Enqueue(settings.ApiKey);
                return chat?.Invoke(call) ?? Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));
            },
        });
    }
}
