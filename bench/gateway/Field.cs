using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Penstock.Bench.Gateway;

/// <summary>Everything that runs: two stand-ins for a provider, and the contenders before them.</summary>
internal sealed class Field : IAsyncDisposable
{
    /// <summary>Of this run alone; the server listens on the loopback only.</summary>
    private const string AdminKey = "sk-pen-0123456789abcdef-bench0bench0bench0bench0bench0be";

    private static readonly KeyValuePair<string, string?>[] Nothing = [];

    private readonly Options _options;
    private readonly List<Running> _processes = [];
    private readonly int _whole = Ports.Free();
    private readonly int _paced = Ports.Free();

    private Field(Options options) => _options = options;

    public List<Contender> Contenders { get; } = [];

    public Contender Direct => Contenders[0];

    public IEnumerable<Contender> Servers => Contenders.Where(contender => _options.Servers.Any(server => server.Name == contender.Name));

    public static async Task<Field> StartAsync(Options options)
    {
        var field = new Field(options);
        try
        {
            await field.StartStandInsAsync();
            await field.StartNginxAsync();
            foreach (var (name, library) in options.Servers) await field.StartPenstockAsync(name, library);
            if (options.Peer) await field.StartPortkeyAsync();
            return field;
        }
        catch
        {
            await field.DisposeAsync();
            throw;
        }
    }

    /// <summary>What the server booked, to be held against what was asked.</summary>
    public static async Task<(long Requests, decimal Cost)> BookedAsync(Contender server)
    {
        using var http = Admin(server.Port);
        var usage = (await http.GetFromJsonAsync("/v1/usage", Json.Default.JsonObject))!;
        return (usage["requests"]!.GetValue<long>(), usage["totalCost"]!.GetValue<decimal>());
    }

    /// <summary>A second server on a folder of its own, to time its start.</summary>
    public Running StartServer(string library, string folder, int port) => Start(folder, Path.Combine(folder, "server.log"), _options.Cores.Measured, ServerEnvironment(folder, port), "dotnet", library);

    public string NewServerFolder(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_options.Work, name)).FullName;
        File.WriteAllText(Path.Combine(folder, "penstock.json"), ServerConfig());
        return folder;
    }

    /// <summary>Makes the key that the calls come with: limited and budgeted in every way, so widely that nothing is refused.</summary>
    public static async Task<string> MakeKeyAsync(int port)
    {
        using var http = Admin(port);
        var answer = await http.PostAsync("/v1/auth/keys", JsonContent.Create(
            new JsonObject
            {
                ["name"] = "bench",
                ["scopes"] = new JsonArray("ai:complete"),
                ["project"] = "bench",
                ["monthlyBudget"] = 1_000_000,
                ["requestsPerSecond"] = 1_000_000,
                ["burst"] = 1_000_000,
                ["tokensPerMinute"] = 2_000_000_000,
                ["concurrency"] = 100_000,
            },
            Json.Default.JsonObject));
        answer.EnsureSuccessStatusCode();
        foreach (var (scope, name) in new[] { ("project", "bench"), ("tenant", null) })
        {
            var budget = new JsonObject { ["scope"] = scope, ["period"] = "day", ["limit"] = 1_000_000 };
            if (name is not null) budget["name"] = name;
            (await http.PutAsync("/v1/usage/budget", JsonContent.Create(budget, Json.Default.JsonObject))).EnsureSuccessStatusCode();
        }

        return (await answer.Content.ReadFromJsonAsync(Json.Default.JsonObject))!["apiKey"]!.GetValue<string>();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_processes)) await process.DisposeAsync();
    }

    private async Task StartStandInsAsync()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_options.Work, "stand-in")).FullName;
        var location = $"location / {{ default_type application/json; return 200 '{Sample.Answer}'; }}";
        await ListenAsync(_whole, StartNginx(folder, _options.Cores.Load, $"server {{ listen 127.0.0.1:{_whole} backlog=4096 reuseport; {location} }}"));
        var self = Start(folder, Path.Combine(folder, "paced.log"), _options.Cores.Load, Nothing, Environment.ProcessPath!, Path.Combine(AppContext.BaseDirectory, "Penstock.Bench.Gateway.dll"), "paced", _paced.ToString(CultureInfo.InvariantCulture));
        await ListenAsync(_paced, self);
        Contenders.Add(new Contender("direct", _whole, null, ("gpt-4o-mini", "gpt-4o-mini"), _paced));
    }

    private async Task StartNginxAsync()
    {
        int port = Ports.Free(), streams = Ports.Free();
        var folder = Directory.CreateDirectory(Path.Combine(_options.Work, "nginx")).FullName;
        var servers = string.Concat(new[] { (Name: "whole", Port: port, To: _whole), (Name: "paced", Port: streams, To: _paced) }.Select(each => $$"""

            upstream {{each.Name}} { server 127.0.0.1:{{each.To}}; keepalive 1024; keepalive_requests 1000000000; }
            server {
              listen 127.0.0.1:{{each.Port}} backlog=4096;
              location / { proxy_pass http://{{each.Name}}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
            }
            """));
        var process = StartNginx(folder, _options.Cores.Measured, servers);
        await ListenAsync(port, process);
        Contenders.Add(new Contender("nginx", port, process, ("gpt-4o-mini", "gpt-4o-mini"), streams));
    }

    /// <summary>One worker, no log: nginx at its best on one core.</summary>
    private Running StartNginx(string folder, int? core, string servers)
    {
        var config = Path.Combine(folder, "nginx.conf");
        File.WriteAllText(config, $$"""
            daemon off; master_process off; pid {{folder}}/nginx.pid; error_log {{folder}}/error.log warn;
            events { worker_connections 16384; }
            http {
              access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; client_body_buffer_size 64k; tcp_nodelay on;
              client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy; fastcgi_temp_path {{folder}}/f; uwsgi_temp_path {{folder}}/u; scgi_temp_path {{folder}}/s;
              {{servers}}
            }
            """);
        return Start(folder, Path.Combine(folder, "nginx.log"), core, Nothing, _options.Nginx, "-p", folder, "-c", config, "-e", Path.Combine(folder, "error.log"));
    }

    private async Task StartPenstockAsync(string name, string library)
    {
        var port = Ports.Free();
        var process = StartServer(library, NewServerFolder(name), port);
        await ListenAsync(port, process);
        var key = new KeyValuePair<string, string>("Authorization", $"Bearer {await MakeKeyAsync(port)}");
        Contenders.Add(new Contender(name, port, process, ("whole/gpt-4o-mini", "paced/gpt-4o-mini"), port)
        {
            Headers = [key, new("x-penstock-cache", "on")],
            StreamHeaders = [key, new("x-penstock-cache", "on")],
        });
    }

    private async Task StartPortkeyAsync()
    {
        var port = Ports.Free();
        var process = Start(_options.Peers, Path.Combine(_options.Work, "portkey.log"), _options.Cores.Measured, [new("NODE_ENV", "production")], "node", "-r", "./loopback.cjs", "node_modules/@portkey-ai/gateway/build/start-server.js", $"--port={port}", "--headless");
        await ListenAsync(port, process);
        Contenders.Add(new Contender("portkey", port, process, ("gpt-4o-mini", "gpt-4o-mini"), port) { Headers = PortkeyHeaders(_whole), StreamHeaders = PortkeyHeaders(_paced) });
    }

    private static KeyValuePair<string, string>[] PortkeyHeaders(int upstream) =>
        [new("Authorization", "Bearer sk-bench"), new("x-portkey-provider", "openai"), new("x-portkey-custom-host", $"http://127.0.0.1:{upstream}/v1")];

    private static KeyValuePair<string, string?>[] ServerEnvironment(string folder, int port) =>
    [
        new("PORT", port.ToString(CultureInfo.InvariantCulture)), new("PENSTOCK_DATA", Path.Combine(folder, "data")), new("PENSTOCK_ADMIN_KEY", AdminKey),
        new("OPENAI_API_KEY", null), new("ANTHROPIC_API_KEY", null), new("BENCH_HEAD", null), new("BENCH_TAIL", null),
    ];

    private string ServerConfig() => $$"""
        {
          "providers": {
            "whole": { "kind": "openai", "baseUrl": "http://127.0.0.1:{{_whole}}/v1", "apiKey": "sk-bench" },
            "paced": { "kind": "openai", "baseUrl": "http://127.0.0.1:{{_paced}}/v1", "apiKey": "sk-bench" }
          },
          "prices": { "version": "bench", "models": { "whole/gpt-4o-mini": { "input": 0.15, "output": 0.6 }, "paced/gpt-4o-mini": { "input": 0.15, "output": 0.6 } } }
        }
        """;

    private static HttpClient Admin(int port) => new() { BaseAddress = new Uri($"http://127.0.0.1:{port}"), DefaultRequestHeaders = { { "Authorization", $"Bearer {AdminKey}" } } };

    private Running Start(string folder, string log, int? core, IEnumerable<KeyValuePair<string, string?>> environment, params string[] command)
    {
        var process = Running.Start(folder, log, core, environment, command);
        _processes.Add(process);
        return process;
    }

    private static Task ListenAsync(int port, Running process) => Ports.OpenAsync(port, process, TimeSpan.FromSeconds(30));
}
