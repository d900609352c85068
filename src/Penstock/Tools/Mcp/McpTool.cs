using ModelContextProtocol.Protocol;
using Penstock.Kernel;

namespace Penstock.Tools.Mcp;

/// <summary>A tool of an MCP server, under the server's name. What it says of itself is not to be trusted more than the server is.</summary>
internal sealed class McpTool(McpServer server, string name, ToolSpec spec) : ITool
{
    private const int LongestDescription = 4_000;
    private const int LongestReason = 2_000;

    public ToolSpec Spec => spec;

    /// <summary>Throws where its schema is not understood.</summary>
    public static McpTool Of(McpServer server, Tool tool)
    {
        var (options, hints) = (server.Options, tool.Annotations);
        return new McpTool(server, tool.Name, new ToolSpec
        {
            Name = $"{options.Name}.{tool.Name}",
            Kind = ToolKind.Mcp,
            Description = (tool.Description ?? tool.Title ?? tool.Name) is { Length: > LongestDescription } text ? text[..LongestDescription] : tool.Description ?? tool.Title ?? tool.Name,
            Input = JsonSchema.Declare(new JsonView(tool.InputSchema, "inputSchema")),
            Output = tool.OutputSchema is { } output ? JsonSchema.Declare(new JsonView(output, "outputSchema")) : null,
            Effect = hints?.ReadOnlyHint == true ? ToolEffect.Pure : hints?.IdempotentHint == true ? ToolEffect.Idempotent : ToolEffect.Once,
            Timeout = options.Timeout,
            Concurrency = options.Concurrency,
        });
    }

    public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
    {
        var answer = await server.CallAsync(this, name, call.Arguments.Element, ct);
        var text = string.Join('\n', answer.Content.OfType<TextContentBlock>().Select(block => block.Text));
        if (answer.IsError == true) throw Refused(text);
        return new ToolResult(answer.StructuredContent?.Clone() ?? JsonOutput.Of(json =>
        {
            json.WriteString("text", text);
            var others = answer.Content.Where(block => block is not TextContentBlock).Select(block => block.Type).ToArray();
            if (others.Length == 0) return;
            // Pictures and sound are named and not carried.
            json.WriteStartArray("leftOut");
            foreach (var other in others) json.WriteStringValue(other);
            json.WriteEndArray();
        }));
    }

    private RefusedException Refused(string text) =>
        new(new Refusal(RefusalKind.Unprocessable, ToolRefusals.Refused, $"The tool '{spec.Name}' says: {(text.Length > LongestReason ? text[..LongestReason] : text)}"));
}
