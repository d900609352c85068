using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Agents.Socket;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Penstock.Tools;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>A gateway with two agents, whose runs nobody executes but the test.</summary>
internal static class AgentHost
{
    public const string Instructions = "You are the operator's secret helper.";

    public static Task<GatewayHost> StartAsync(TimeProvider? time = null, SocketTimes? times = null, string? config = null) => GatewayHost.StartAsync(time ?? TimeProvider.System, config, services =>
    {
        services.AddSingleton(new AgentCatalog([Agent("helper", null), Agent("strict", JsonSchema.Parse("""{"type":"object","properties":{"topic":{"type":"string"},"documents":{"type":"array"}},"required":["topic"],"additionalProperties":false}"""))]));
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

    private static AgentDefinition Agent(string name, JsonSchema? input)
    {
        var text = $$"""{"name":"{{name}}","version":"1.0.0","instructions":"{{Instructions}}"}""";
        return new AgentDefinition
        {
            Name = name,
            Version = "1.0.0",
            Description = "Helps.",
            Model = "gpt-4o-mini",
            Instructions = Instructions,
            Input = input,
            Tools = [new AgentTool("calculator"), new AgentTool("s*", ToolEffect.Pure)],
            Limits = new AgentLimits { Usd = Money.FromUsd(0.5m), Steps = 10, Wall = TimeSpan.FromMinutes(5), ToolCalls = 100 },
            Text = text,
            Hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))),
        };
    }
}
