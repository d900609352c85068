using System.Globalization;

namespace Penstock.Chaos;

/// <summary>A folder with the configuration of a worker: one agent, and three tools of every effect.</summary>
internal static class Setting
{
    public const string Agent = "steady";
    public const string Limit = "0.50";

    /// <param name="maxRuns">At once in each worker.</param>
    public static string Make(World world, string agents = "", int maxRuns = 64)
    {
        var folder = Directory.CreateTempSubdirectory("penstock-chaos-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "agents"));
        File.WriteAllText(Path.Combine(folder, "agents", "steady.yaml"), $$"""
            apiVersion: v1
            kind: Agent
            name: {{Agent}}
            version: 1.0.0
            description: Follows the plan of its model.
            model: gpt-4o-mini
            instructions: Follow the plan.
            tools:
              - {name: {{World.Look}}}
              - {name: {{World.Keyed}}}
              - {name: {{World.Once}}}
            limits: {usd: {{Limit}}, steps: 40, wall: 20m, toolCalls: 400}
            """);
        File.WriteAllText(Path.Combine(folder, "agents", "patient.yaml"), """
            apiVersion: v1
            kind: Agent
            name: patient
            version: 1.0.0
            description: Waits.
            model: gpt-4o-mini
            instructions: Wait as often as you are told to.
            tools: [{name: wait}]
            limits: {usd: 0.10, steps: 40, wall: 2h}
            """);
        File.WriteAllText(Path.Combine(folder, "agents", "lasting.yaml"), $$"""
            apiVersion: v1
            kind: Agent
            name: lasting
            version: 1.0.0
            description: Looks, and looks again.
            model: gpt-4o-mini
            instructions: Look until you are told to stop.
            tools: [{name: {{World.Look}}}]
            limits: {usd: 100, steps: 100000, wall: 10h, toolCalls: 100000}
            context: {maxTokens: 1000}
            """);
        File.WriteAllText(Path.Combine(folder, "penstock.json"), $$"""
            {
              "tools": {
                "maxInFlight": 400, "maxInFlightPerTenant": 400,
                "http": {
                  {{Tool(world, World.Look, "pure")}},
                  {{Tool(world, World.Keyed, "idempotent")}},
                  {{Tool(world, World.Once, "once")}}
                }
              },
              "routing": {"retries": 0, "breaker": "off"},
              "limits": {"requestsPerSecond": 100000, "burst": 100000},
              "agents": {"maxRuns": {{maxRuns}}, "maxRunsPerTenant": {{maxRuns}}{{agents}}}
            }
            """);
        return folder;
    }

    private static string Tool(World world, string name, string effect) => string.Create(CultureInfo.InvariantCulture, $$$"""
        "{{{name}}}": {
          "url": "{{{world.Tools}}}{{{name}}}", "secret": "{{{World.Secret}}}", "description": "{{{name}}}", "effect": "{{{effect}}}", "concurrency": 400,
          "input": {"type": "object", "properties": {"seed": {"type": "integer"}, "turn": {"type": "integer"}, "index": {"type": "integer"}}, "required": ["seed", "turn", "index"]}
        }
        """);
}
