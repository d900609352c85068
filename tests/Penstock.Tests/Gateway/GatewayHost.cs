using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Agents;
using Penstock.Alerts;
using Penstock.Budgets;
using Penstock.Configuration;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Cache;
using Penstock.Http;
using Penstock.Idempotency;
using Penstock.Jobs;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Keys.Jwt;
using Penstock.Providers.Tokens;
using Penstock.Sqlite;
using Penstock.Tests.Configuration;
using Penstock.Tests.Http;
using Penstock.Tests.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>The whole product on a real Kestrel and the embedded store; only the vendors follow a script and the clock is the test's.</summary>
internal sealed class GatewayHost : IAsyncDisposable
{
    public const string OperatorKey = "sk-pen-root-" + Callers.Secret;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder;
    private readonly WebApplication _app;

    private GatewayHost(WebApplication app, DirectoryInfo folder, Script script, TimeProvider time, LogSink log)
    {
        (_app, _folder, Script, Time, Log) = (app, folder, script, time, log);
        Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        Client = Connect(OperatorKey);
    }

    public Script Script { get; }

    public TimeProvider Time { get; }

    public LogSink Log { get; }

    public Uri Address { get; }

    /// <summary>Holds the operator's key.</summary>
    public HttpClient Client { get; }

    public IServiceProvider Services => _app.Services;

    public IKeyStore Keys => Services.GetRequiredService<IKeyStore>();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <param name="change">Of the services, after all of them are there: puts something in a part's place, such as a store that fails.</param>
    public static async Task<GatewayHost> StartAsync(TimeProvider? time = null, string? config = null, Action<IServiceCollection>? change = null, params (string Name, string? Value)[] environment)
    {
        var folder = Directory.CreateTempSubdirectory("penstock-");
        var (script, log, clock) = (new Script(), new LogSink(), time ?? new ManualTime());
        var keys = Sections.Environment([("OPENAI_API_KEY", "sk-upstream"), ("PENSTOCK_ADMIN_KEY", OperatorKey), ("PENSTOCK_DATA", Path.Combine(folder.FullName, "data")), .. environment]);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Limits.MaxRequestBodySize = null;
        });
        builder.Logging.ClearProviders().AddProvider(log).AddFilter("Penstock", LogLevel.Trace).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddSingleton(clock);
        builder.Services.AddPenstock(keys);
        // These tests wait for timers of the pipeline on their own clock; those of what runs in the background would stand among them.
        foreach (var background in new[] { typeof(HoldSweeper), typeof(Retention), typeof(CacheSweeper), typeof(IdempotencySweeper), typeof(AlertSender), typeof(IssuerRefresh), typeof(AgentWatch), typeof(RunSweeper), typeof(RunWorker), typeof(PlatformKeyRefresh), typeof(JobWorker), typeof(JobSweeper) })
            builder.Services.Remove(builder.Services.Single(service => service.ImplementationType == background));
        builder.Services.AddSingleton<ITokenCounter>(new TokenCounter(new Tokenizers(NullLogger<Tokenizers>.Instance, Path.Combine(folder.FullName, "none"))));
        builder.Services.AddSingleton<IProviderKind>(new ScriptedKind("openai", Dialect.OpenAi, script));
        builder.Services.AddSingleton<IProviderKind>(new ScriptedKind("anthropic", Dialect.Anthropic, script));
        builder.Services.AddSingleton<IProviderKind>(new ScriptedKind("local", Dialect.Native, script));
        builder.Services.AddSqliteStore(new SqliteOptions { DataFolder = Path.Combine(folder.FullName, "data") });
        change?.Invoke(builder.Services);
        var app = builder.Build();
        app.MapPenstock();
        var file = Path.Combine(folder.FullName, "penstock.json");
        await File.WriteAllTextAsync(file, Calm(config ?? "{}"), Ct);
        using (var penstock = new ConfigFile(file, app.Services.GetServices<IConfigSection>(), clock, NullLogger<ConfigFile>.Instance)) penstock.Load();
        await app.Services.EnsureOperatorAsync(Ct);
        await app.StartAsync(Ct);
        return new GatewayHost(app, folder, script, clock, log);
    }

    /// <summary>Unless a test says what is to happen, a vendor's failure is told at once: no retries, and no target is closed to the calls after it.</summary>
    private static string Calm(string config)
    {
        var root = JsonNode.Parse(config)!.AsObject();
        if (!root.ContainsKey("routing")) root["routing"] = new JsonObject { ["retries"] = 0, ["breaker"] = "off" };
        return root.ToJsonString();
    }

    public void Advance(TimeSpan by) => ((ManualTime)Time).Advance(by);

    public HttpClient Connect(string? key)
    {
        var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = Address, Timeout = Patience };
        if (key is not null) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    /// <summary>A key as an admin would have made it.</summary>
    public async Task<string> AddKeyAsync(string id, Scopes scopes = Scopes.Complete, Func<KeyRecord, KeyRecord>? change = null)
    {
        var text = Callers.Text(id);
        var key = Callers.Key(text, Time.GetUtcNow(), scopes);
        Assert.True(await Keys.AddAsync(change is null ? key : change(key), Ct));
        return text.Text;
    }

    public async Task<Answer> SendAsync(HttpMethod method, string path, string? body = null, string? key = OperatorKey, params (string Name, string Value)[] headers)
    {
        using var client = Connect(key);
        using var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content!.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await client.SendAsync(request, Ct);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(Ct), response.Headers.Concat(response.Content.Headers).ToDictionary(header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase));
    }

    public Task<Answer> GetAsync(string path, string? key = OperatorKey) => SendAsync(HttpMethod.Get, path, null, key);

    public Task<Answer> PostAsync(string path, string body, string? key = OperatorKey) => SendAsync(HttpMethod.Post, path, body, key);

    public Task<Answer> ChatAsync(string model = "gpt-4o-mini", bool stream = false, string? key = OperatorKey, string prompt = "hello") => PostAsync("/v1/chat/completions", Chat(model, stream, prompt), key);

    public static string Chat(string model = "gpt-4o-mini", bool stream = false, string prompt = "hello") =>
        $$"""{"model": "{{model}}", "stream": {{(stream ? "true" : "false")}}, "messages": [{"role": "user", "content": "{{prompt}}"}]}""";

    /// <summary>Newest first.</summary>
    public Task<IReadOnlyList<LedgerRow>> RowsAsync() => Services.GetRequiredService<IUsageStore>().ListAsync(TenantId.Default, new UsageQuery(), 10_000, Ct);

    /// <summary>The only row, once it is there.</summary>
    public async Task<LedgerRow> RowAsync()
    {
        await UntilAsync(async () => (await RowsAsync()).Count > 0);
        return Assert.Single(await RowsAsync());
    }

    public static async Task UntilAsync(Func<Task<bool>> holds, string? what = null)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(Patience);
        while (!await holds())
        {
            if (patience.IsCancellationRequested) Assert.Fail($"Waited {Patience} for nothing{(what is null ? "" : ": " + what)}");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, CancellationToken.None);
        }
    }

    public static Task UntilAsync(Func<bool> holds, string? what = null) => UntilAsync(() => Task.FromResult(holds()), what);

    public void StartDrain() => Services.GetRequiredService<Drain>().Start();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

/// <summary>An answer read to its end.</summary>
internal sealed record Answer(int Status, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public string RequestId => Headers["x-request-id"];

    public System.Text.Json.JsonElement Json => System.Text.Json.JsonDocument.Parse(Body).RootElement;

    public string? Text(params string[] path) => path.Aggregate(Json, (element, name) => element.GetProperty(name)).GetString();
}
