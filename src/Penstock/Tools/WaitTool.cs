using Penstock.Kernel;

namespace Penstock.Tools;

/// <summary><c>wait</c>: lets time pass, and hands on the text it was given.</summary>
internal sealed class WaitTool(TimeProvider time) : ITool
{
    private const int Longest = 300;

    public ToolSpec Spec { get; } = new()
    {
        Name = "wait",
        Description = "Waits for a number of seconds, at most 300, and answers with the text it was given, if any.",
        Effect = ToolEffect.Pure,
        Timeout = TimeSpan.FromSeconds(Longest + 10),
        // Whoever waits must not keep everybody else waiting.
        Concurrency = 50,
        Input = JsonSchema.Parse("""
            {
              "type": "object",
              "properties": {
                "seconds": {"type": "number", "minimum": 0, "maximum": 300},
                "text": {"type": "string", "description": "Handed on as it is"}
              },
              "required": ["seconds"],
              "additionalProperties": false
            }
            """),
        Output = JsonSchema.Parse("""
            {
              "type": "object",
              "properties": {"text": {"type": "string"}, "waitedSeconds": {"type": "number"}},
              "required": ["text", "waitedSeconds"],
              "additionalProperties": false
            }
            """),
    };

    public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
    {
        var started = time.GetTimestamp();
        var seconds = TimeSpan.FromSeconds(call.Arguments.Required("seconds").Number(0, Longest));
        if (seconds > TimeSpan.Zero) await Task.Delay(seconds, time, ct);
        return new ToolResult(JsonOutput.Of(json =>
        {
            json.WriteString("text", call.Arguments.Optional("text")?.Text() ?? "");
            json.WriteNumber("waitedSeconds", Math.Round(time.GetElapsedTime(started).TotalSeconds, 3));
        }));
    }
}
