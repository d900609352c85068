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

    /// <summary>Chat models both vendors know besides their own, for tests of compatible servers.</summary>
    public IReadOnlyList<string> ExtraModels { get; init; } = [];

    /// <summary>For load tests: <c>/v1/chat/completions</c> answers a constant at the least cost, checks nothing and records nothing but a count.</summary>
    public bool Fast { get; init; }

    /// <summary>Paces the answers and stamps what was seen.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
