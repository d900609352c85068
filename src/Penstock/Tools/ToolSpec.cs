using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Tools;

/// <summary>What may be done when nobody knows whether a call happened.</summary>
internal enum ToolEffect
{
    /// <summary>It changes something, and a second call changes it again: it is never called again blindly. The default.</summary>
    Once,

    /// <summary>It changes nothing.</summary>
    Pure,

    /// <summary>A second call under the same idempotency key changes nothing more.</summary>
    Idempotent,
}

internal enum ToolKind
{
    BuiltIn,
    Http,
    Mcp,
}

/// <summary>What a tool is to those who call it.</summary>
internal sealed record ToolSpec
{
    /// <summary>Letters, digits, <c>_</c> and <c>-</c>; an MCP server's tool is <c>server.tool</c>.</summary>
    public required string Name { get; init; }

    /// <summary>For the model that chooses among tools.</summary>
    public required string Description { get; init; }

    /// <summary>Of its arguments, always one object.</summary>
    public required JsonSchema Input { get; init; }

    /// <summary>Null where nothing is said of what it answers.</summary>
    public JsonSchema? Output { get; init; }

    public ToolEffect Effect { get; init; }

    public ToolKind Kind { get; init; }

    /// <summary>Longest time of one call; default 30 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Calls at once; default 100.</summary>
    public int Concurrency { get; init; } = 100;

    /// <summary>Of each call; null where the ledger meters what it uses.</summary>
    public Money? Cost { get; init; } = Money.Zero;

    /// <summary>What the key must hold beside the right to call tools.</summary>
    public Scopes Needs { get; init; }
}

/// <summary>What a tool answered.</summary>
/// <param name="Cost">What the ledger booked for it, where the tool's cost is metered.</param>
internal readonly record struct ToolResult(JsonElement Output, Money Cost = default);

/// <summary>Names as they stand in answers and in the configuration.</summary>
internal static class ToolNames
{
    private static readonly string[] Effects = ["once", "pure", "idempotent"];

    public static string Of(ToolEffect effect) => Effects[(int)effect];

    public static string Of(ToolKind kind) => kind switch
    {
        ToolKind.BuiltIn => "built_in",
        ToolKind.Http => "http",
        _ => "mcp",
    };

    public static ToolEffect ReadEffect(JsonView text) => (ToolEffect)Array.IndexOf(Effects, text.OneOf(Effects));
}
