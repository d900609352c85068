using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents.Socket;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>A gateway with two agents, whose runs nobody executes but the test.</summary>
internal static class AgentHost
{
    public const string Instructions = "You are the operator's secret helper.";

    private static readonly Lock Writing = new();

    public static Task<GatewayHost> StartAsync(TimeProvider? time = null, SocketTimes? times = null) => GatewayHost.StartAsync(time ?? TimeProvider.System, "{\"agents\":{\"folder\":" + JsonSerializer.Serialize(Folder()) + "}}", services =>
    {
        if (times is not null) services.AddSingleton(times);
    });

    /// <summary>Starts a run and answers its id.</summary>
    public static async Task<string> RunAsync(this GatewayHost host, string body = """{"type":"helper","input":"what is 2+2","wait":0}""", string key = GatewayHost.OperatorKey)
    {
        var answer = await host.PostAsync("/v1/agents/run", body, key);
        Assert.True(answer.Status == 202, answer.Body);
        return answer.Text("id")!;
    }

    /// <summary>A run of several steps that has ended, with growing answers and a text that is hard to carry.</summary>
    public static async Task<string> EndedRunAsync(this GatewayHost host, int steps = 12)
    {
        var run = await host.RunAsync();
        var owner = await ScriptedOwner.OfAsync(host, run);
        for (var step = 0; step < steps; step++) await owner.StepAsync($"call_{step}", $$"""{"text":"Grüße 🐟 \n\u2028 {{step}}", "n": [1, 2]}""");
        await owner.EndAsync();
        return run;
    }

    public static Task<string> AgentKeyAsync(this GatewayHost host, string id, string project = "default", string tenant = "default", Scopes scopes = Scopes.RunAgents) =>
        host.AddKeyAsync(id, scopes, key => key with { Project = new ProjectId(project), Tenant = new TenantId(tenant) });

    /// <summary>Two definitions, the same for all tests.</summary>
    private static string Folder()
    {
        lock (Writing)
        {
            var folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "agents-of-tests")).FullName;
            foreach (var (name, input) in new[] { ("helper", ""), ("strict", "inputSchema: {type: object, properties: {topic: {type: string}, documents: {type: array}}, required: [topic], additionalProperties: false}") })
                Write(Path.Combine(folder, name + ".yaml"), $$"""
                    apiVersion: v1
                    kind: Agent
                    name: {{name}}
                    version: 1.0.0
                    description: Helps.
                    model: gpt-4o-mini
                    instructions: {{Instructions}}
                    {{input}}
                    tools: [calculator, "s*"]
                    limits: {usd: 0.5, steps: 10, wall: 5m}
                    """);
            return folder;
        }
    }

    /// <summary>Whole or not at all: another test may be reading it.</summary>
    private static void Write(string file, string text)
    {
        if (File.Exists(file) && File.ReadAllText(file) == text) return;
        File.WriteAllText(file + ".new", text);
        File.Move(file + ".new", file, overwrite: true);
    }
}
