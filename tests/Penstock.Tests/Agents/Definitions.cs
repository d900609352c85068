using System.Text;
using Penstock.Agents;
using Penstock.Agents.Definitions;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>Definitions as files have them.</summary>
internal static class Definitions
{
    public const string Least = """
        apiVersion: v1
        kind: Agent
        name: helper
        version: 1.0.0
        description: Helps.
        model: fast
        instructions: Help.
        limits: {usd: 0.50, steps: 10, wall: 20m}
        """;

    public const string Full = """
        apiVersion: v1
        kind: Agent
        name: helper
        version: 2.1.0
        description: "Helps: with everything"
        model: {alias: reasoning, fallbacks: [standard, openai/gpt-4.1]}
        instructions: |
          Help.
            Indented, "quoted", ünï😀.
        inputSchema: {type: object, properties: {topic: {type: string}}, required: [topic]}
        outputSchema: {type: object, properties: {n: {type: number, maximum: 0x10}}}
        tools:
          - search
          - {name: "crm.*", effect: idempotent, timeout: 1h, maxConcurrency: 3, retries: 0}
        agents: [research]
        limits: {usd: 1.25, steps: 50, wall: 1h30m, parallelTools: 7, toolCalls: 9, children: 2, depth: 3, outputTokens: 500}
        approvals:
          - {tool: "write_*", expires: 24h, onExpire: approve}
          - {tool: pay, expires: 90s}
        context: {maxTokens: 9000, threadMessages: 0, facts: 3}
        cites: yes please
        """;

    public static AgentReading Read(string text, string file = "helper.yaml", params (string Path, string Text)[] prompts) =>
        AgentFile.Read(file, Encoding.UTF8.GetBytes(text), path => prompts.Where(prompt => prompt.Path == path).Select(prompt => (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(prompt.Text)).FirstOrDefault());

    public static AgentDefinition Good(string text, string file = "helper.yaml", params (string Path, string Text)[] prompts)
    {
        var reading = Read(text, file, prompts);
        Assert.Empty(reading.Errors);
        return reading.Definition!;
    }

    /// <summary>The least definition with a line changed, or one more.</summary>
    public static string With(string line)
    {
        var name = line.Split(':')[0];
        return string.Join('\n', [.. Least.Split('\n').Where(one => one.Split(':')[0] != name), line]);
    }
}
