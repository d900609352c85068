using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>What an agent is: a file of the operator's, pinned in each run as it was when the run began.</summary>
internal sealed record AgentDefinition
{
    public required string Name { get; init; }

    /// <summary>The author's own, such as <c>1.4.0</c>.</summary>
    public required string Version { get; init; }

    public required string Description { get; init; }

    /// <summary>A model, an alias or a tier.</summary>
    public required string Model { get; init; }

    /// <summary>Asked in this order where <see cref="Model"/> cannot answer.</summary>
    public IReadOnlyList<string> Fallbacks { get; init; } = [];

    /// <summary>The system prompt.</summary>
    public required string Instructions { get; init; }

    /// <summary>Null takes a text, or any object.</summary>
    public JsonSchema? Input { get; init; }

    /// <summary>Null answers in text.</summary>
    public JsonSchema? Output { get; init; }

    /// <summary>What it may call, in the order in which it is offered.</summary>
    public IReadOnlyList<AgentTool> Tools { get; init; } = [];

    /// <summary>Agents it may hand work to.</summary>
    public IReadOnlyList<string> Agents { get; init; } = [];

    public required AgentLimits Limits { get; init; }

    public IReadOnlyList<ApprovalRule> Approvals { get; init; } = [];

    public AgentContext Context { get; init; } = new();

    /// <summary>Citations of the output must be of what <c>search</c> or <c>http_fetch</c> answered in the run.</summary>
    public bool Cites { get; init; }

    /// <summary>The definition as one JSON object, defaults written out: what is pinned, and what <see cref="Hash"/> is of.</summary>
    public required string Text { get; init; }

    /// <summary>SHA-256 of <see cref="Text"/>, lower-case hexadecimal.</summary>
    public required string Hash { get; init; }
}

/// <summary>A tool as one agent has it. What is null stands as the tool has it.</summary>
/// <param name="Name">A name, or the beginning of names and <c>*</c>.</param>
/// <param name="Retries">How often it is tried again; never blindly where its effect is <c>once</c>. Default 2.</param>
internal sealed record AgentTool(string Name, ToolEffect? Effect = null, TimeSpan? Timeout = null, int? MaxConcurrency = null, int Retries = 2);

/// <summary>Where a run ends, whatever its model wants. Each is set.</summary>
internal sealed record AgentLimits
{
    /// <summary>The most the run and its children may spend.</summary>
    public required Money Usd { get; init; }

    /// <summary>Model calls.</summary>
    public required int Steps { get; init; }

    /// <summary>From its start to its end, waiting for people not counted.</summary>
    public required TimeSpan Wall { get; init; }

    /// <summary>Calls of tools at once; default 20.</summary>
    public int ParallelTools { get; init; } = 20;

    /// <summary>Calls of tools in all; default 10 times the steps.</summary>
    public required int ToolCalls { get; init; }

    /// <summary>Runs it may start; default 5.</summary>
    public int Children { get; init; } = 5;

    /// <summary>How deep runs may start runs below it; default 1.</summary>
    public int Depth { get; init; } = 1;

    /// <summary>Tokens of one answer of the model; null leaves it to the model.</summary>
    public int? OutputTokens { get; init; }
}

/// <summary>Calls that wait for a person.</summary>
/// <param name="Tool">A name, or the beginning of names and <c>*</c>.</param>
/// <param name="Expires">How long a person has.</param>
/// <param name="ApproveOnExpiry">Default false: what nobody approved is denied.</param>
internal sealed record ApprovalRule(string Tool, TimeSpan Expires, bool ApproveOnExpiry = false);

/// <summary>How much of what was said a prompt may hold.</summary>
internal sealed record AgentContext
{
    /// <summary>Estimated tokens of the prompt beyond which the oldest part is summarised; default 60,000.</summary>
    public int MaxTokens { get; init; } = 60_000;

    /// <summary>Latest messages of the conversation's thread that a run begins with; default 20, 0 for none.</summary>
    public int ThreadMessages { get; init; } = 20;

    /// <summary>Facts about the end user that a run begins with; default 10, 0 for none.</summary>
    public int Facts { get; init; } = 10;
}
