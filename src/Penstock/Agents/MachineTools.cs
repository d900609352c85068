using System.Text.Json;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>What only a run can do: ask a person, hand work to another agent, remember. Each is offered where the definition names it.</summary>
internal static class MachineTools
{
    public const string Escalate = "escalate";
    public const string RunAgent = "run_agent";
    public const string Remember = "remember";
    public const string Recall = "recall";

    /// <summary>How long a person has to answer an escalation.</summary>
    public static readonly TimeSpan EscalationTime = TimeSpan.FromDays(3);

    private static readonly ToolSpec[] Fixed =
    [
        Of(Escalate, "Asks a person, and waits for what they say. Use it where the given knowledge does not settle the matter.", ToolEffect.Idempotent, """
            {
              "type": "object",
              "properties": {"question": {"type": "string", "minLength": 1, "maxLength": 4000}},
              "required": ["question"],
              "additionalProperties": false
            }
            """),
        Of(Remember, "Remembers one fact about the end user for later conversations.", ToolEffect.Idempotent, """
            {
              "type": "object",
              "properties": {"fact": {"type": "string", "minLength": 1, "maxLength": 2000}},
              "required": ["fact"],
              "additionalProperties": false
            }
            """),
        Of(Recall, "Finds facts that were remembered about the end user.", ToolEffect.Pure, """
            {
              "type": "object",
              "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 2000}},
              "required": ["query"],
              "additionalProperties": false
            }
            """),
    ];

    public static ToolSpec? Find(string name) => Array.Find(Fixed, spec => spec.Name == name);

    /// <summary>Hands work to one of <paramref name="agents"/>.</summary>
    public static ToolSpec Handing(IReadOnlyList<string> agents) => Of(RunAgent, "Hands a task to another agent, and answers with what it found.", ToolEffect.Idempotent, $$"""
        {
          "type": "object",
          "properties": {
            "agent": {"type": "string", "enum": [{{string.Join(", ", agents.Select(agent => $"\"{JsonEncodedText.Encode(agent)}\""))}}]},
            "input": {"type": "string", "minLength": 1, "description": "The whole task: the other agent sees nothing else"}
          },
          "required": ["agent", "input"],
          "additionalProperties": false
        }
        """);

    /// <summary>What the model is told of a person's answer.</summary>
    public static string Reply(bool accepted, string? words) => JsonOutput.Of(json =>
    {
        json.WriteBoolean("answered", accepted);
        json.WriteString("answer", words ?? (accepted ? "Go on." : "Nobody can help with this."));
    }).GetRawText();

    private static ToolSpec Of(string name, string description, ToolEffect effect, string input) =>
        new() { Name = name, Description = description, Effect = effect, Input = JsonSchema.Parse(input) };
}
