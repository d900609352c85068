using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.Chaos;

/// <summary>
/// What lies outside of the workers and outlives them: a model that follows a plan, and tools that count their effects. A run says its seed in its input; what its
/// model asks for follows from the seed and from how far it is, so that a repeated turn asks for the same.
/// </summary>
internal sealed class World : IAsyncDisposable
{
    public const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    public const string Look = "look";
    public const string Keyed = "put_keyed";
    public const string Once = "pay_once";

    /// <summary>In the place of a seed, for runs that only wait.</summary>
    public const int Waiting = -1;

    private readonly WebApplication _tools;
    private readonly int _steps;
    private readonly ConcurrentDictionary<(int Seed, int Turn), int> _asked = new();
    private readonly ConcurrentDictionary<string, int> _calls = new();
    private readonly ConcurrentDictionary<string, string> _effects = new();

    private World(WebApplication tools, int steps) => (_tools, _steps) = (tools, steps);

    public UpstreamServer Model { get; private set; } = null!;

    public Uri Tools => new(_tools.Urls.Single());

    /// <summary>How often the model was asked for each turn.</summary>
    public IReadOnlyDictionary<(int Seed, int Turn), int> Asked => _asked;

    /// <summary>Time that each call of a tool takes.</summary>
    public TimeSpan ToolTime { get; set; } = TimeSpan.FromMilliseconds(2);

    public static async Task<World> StartAsync(int steps)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var world = new World(app, steps);
        app.MapPost("/{tool}", world.CallAsync);
        await app.StartAsync();
        world.Model = await UpstreamServer.StartAsync(new UpstreamOptions { Agent = world.Say });
        return world;
    }

    /// <summary>The calls of a turn; none at the end.</summary>
    public static IReadOnlyList<(string Tool, int Index)> Plan(int seed, int turn)
    {
        var dice = new Dice(((ulong)seed << 16) + (ulong)turn);
        return [.. Enumerable.Range(0, 1 + dice.Below(3)).Select(index => (dice.Pick(Once, Keyed, Keyed, Look, Look), index))];
    }

    /// <summary>Whether the call of a tool had its effect.</summary>
    public bool Happened(string tool, int seed, int turn, int index) => _effects.ContainsKey(Name(tool, seed, turn, index));

    /// <summary>How often the endpoint was called.</summary>
    public int Calls(string tool, int seed, int turn, int index) => _calls.GetValueOrDefault(Name(tool, seed, turn, index));

    /// <summary>Calls of one and the same that came under different keys.</summary>
    public ConcurrentBag<string> Doubled { get; } = [];

    public async ValueTask DisposeAsync()
    {
        await Model.DisposeAsync();
        await _tools.DisposeAsync();
    }

    private AgentSays? Say(AgentTurn turn)
    {
        if (turn.System.StartsWith("Summarise the work", StringComparison.Ordinal)) return new AgentSays("So far all went to plan.");
        if (Number(turn.User, "long=") is not null) return new AgentSays("", (Look, """{"seed": 0, "turn": 0, "index": 0}"""));
        if (Number(turn.User, "waits=") is { } waits)
        {
            _asked.AddOrUpdate((Waiting, turn.Turns), 1, static (_, before) => before + 1);
            return turn.Turns >= waits ? new AgentSays("waited") : new AgentSays("", ("wait", """{"seconds": 300}"""));
        }

        if (Number(turn.User, "seed=") is not { } seed) return null;
        _asked.AddOrUpdate((seed, turn.Turns), 1, static (_, before) => before + 1);
        return turn.Turns >= _steps
            ? new AgentSays($"done {seed}")
            : new AgentSays("", [.. Plan(seed, turn.Turns).Select(call => (call.Tool, string.Create(CultureInfo.InvariantCulture, $$"""{"seed": {{seed}}, "turn": {{turn.Turns}}, "index": {{call.Index}}}""")))]);
    }

    private static int? Number(string text, string name) =>
        text.StartsWith(name, StringComparison.Ordinal) && int.TryParse(text[name.Length..].Split(' ', '\n')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private async Task CallAsync(HttpContext http)
    {
        var tool = (string)http.Request.RouteValues["tool"]!;
        using var body = await JsonDocument.ParseAsync(http.Request.Body, default, http.RequestAborted);
        var arguments = body.RootElement.GetProperty("data").GetProperty("arguments");
        var name = Name(tool, arguments.GetProperty("seed").GetInt32(), arguments.GetProperty("turn").GetInt32(), arguments.GetProperty("index").GetInt32());
        await Task.Delay(ToolTime, TimeProvider.System, http.RequestAborted);
        _calls.AddOrUpdate(name, 1, static (_, before) => before + 1);
        // An endpoint that keeps its promise: one key, one effect, and the same answer again.
        var key = http.Request.Headers["webhook-id"].ToString();
        if (_effects.GetOrAdd(name, key) != key) Doubled.Add(name);
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync($$"""{"ok": "{{name}}"}""", http.RequestAborted);
    }

    private static string Name(string tool, int seed, int turn, int index) => string.Create(CultureInfo.InvariantCulture, $"{tool}:{seed}:{turn}:{index}");
}
