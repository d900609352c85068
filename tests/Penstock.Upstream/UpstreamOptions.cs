namespace Penstock.Upstream;

/// <summary>How a stand-in is started.</summary>
public sealed record UpstreamOptions
{
    /// <summary>On 127.0.0.1; 0 takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>Keys the OpenAI routes accept as <c>Authorization: Bearer</c>.</summary>
    public IReadOnlyList<string> OpenAiKeys { get; init; } = [UpstreamServer.OpenAiKey];

    /// <summary>Keys the Anthropic routes accept as <c>x-api-key</c> or <c>Authorization: Bearer</c>.</summary>
    public IReadOnlyList<string> AnthropicKeys { get; init; } = [UpstreamServer.AnthropicKey];

    /// <summary>The access key and secret that signatures are made with at the AWS routes.</summary>
    public string AwsKeyId { get; init; } = UpstreamServer.AwsKeyId;

    public string AwsSecret { get; init; } = UpstreamServer.AwsSecret;

    /// <summary>The bearer token that Bedrock's routes accept.</summary>
    public string AwsToken { get; init; } = UpstreamServer.AwsToken;

    /// <summary>Chat models both vendors know besides their own, for tests of compatible servers.</summary>
    public IReadOnlyList<string> ExtraModels { get; init; } = [];

    /// <summary>For load tests: <c>/v1/chat/completions</c> answers a constant at the least cost, checks nothing and records nothing but a count.</summary>
    public bool Fast { get; init; }

    /// <summary>Plays the part of a model that calls tools turn after turn; null, or null for a turn, for the answers of README.md.</summary>
    public Func<AgentTurn, AgentSays?>? Agent { get; init; }

    /// <summary>Paces the answers and stamps what was seen.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>Where a conversation stands that a model is to go on with.</summary>
/// <param name="User">The text of the last user message that has any.</param>
/// <param name="Turns">How often the assistant has spoken.</param>
/// <param name="ToolResults">Those that end the conversation, in order.</param>
/// <param name="Tools">Names that may be called.</param>
public sealed record AgentTurn(string User, string System, int Turns, IReadOnlyList<string> ToolResults, IReadOnlyList<string> Tools);

/// <summary>What it says: tools to call, or a text where there are none.</summary>
public sealed record AgentSays(string Text, params IReadOnlyList<(string Name, string Arguments)> Calls);
