namespace Penstock.Upstream;

/// <summary>What a vendor knows of one model.</summary>
/// <param name="MaxOutput">Most tokens an answer may have.</param>
/// <param name="Reasons">OpenAI: takes <c>max_completion_tokens</c> and <c>reasoning_effort</c>, and no sampling parameters.</param>
/// <param name="Samples">Anthropic: takes <c>temperature</c>, <c>top_p</c> and <c>top_k</c>.</param>
/// <param name="MidSystem">Anthropic: takes system messages between the turns.</param>
/// <param name="Dimensions">Length of an embedding, 0 for chat models.</param>
internal sealed record Model(string Name, int MaxOutput = 0, bool Reasons = false, bool Samples = true, bool MidSystem = false, int Dimensions = 0);

internal sealed class Models(IReadOnlyList<string> extra)
{
    private static readonly Model[] OpenAiModels =
    [
        new("gpt-4", 8_192), new("gpt-4-turbo", 4_096), new("gpt-4o", 16_384), new("gpt-4o-mini", 16_384),
        new("gpt-4.1", 32_768), new("gpt-4.1-mini", 32_768), new("gpt-4.1-nano", 32_768),
        new("o1", 100_000, Reasons: true), new("o3", 100_000, Reasons: true), new("o3-mini", 100_000, Reasons: true), new("o4-mini", 100_000, Reasons: true),
        new("gpt-5", 128_000, Reasons: true), new("gpt-5-mini", 128_000, Reasons: true), new("gpt-5-nano", 128_000, Reasons: true),
        new("gpt-5.1", 128_000, Reasons: true), new("gpt-5.2", 128_000, Reasons: true),
        new("text-embedding-3-small", Dimensions: 1_536), new("text-embedding-3-large", Dimensions: 3_072), new("text-embedding-ada-002", Dimensions: 1_536),
    ];

    private static readonly Model[] AnthropicModels =
    [
        new("claude-haiku-4-5", 64_000), new("claude-haiku-4-5-20251001", 64_000),
        new("claude-sonnet-4-20250514", 64_000), new("claude-sonnet-4-5", 64_000), new("claude-sonnet-4-5-20250929", 64_000), new("claude-sonnet-4-6", 64_000),
        new("claude-opus-4-1-20250805", 32_000), new("claude-opus-4-5-20251101", 64_000), new("claude-opus-4-6", 128_000),
        new("claude-opus-4-7", 128_000, Samples: false), new("claude-opus-4-8", 128_000, Samples: false, MidSystem: true), new("claude-sonnet-5", 128_000, Samples: false),
        new("claude-opus-5", 128_000, Samples: false, MidSystem: true),
    ];

    public IReadOnlyList<Model> OpenAi { get; } = [.. OpenAiModels, .. extra.Select(name => new Model(name, 100_000))];

    public IReadOnlyList<Model> Anthropic { get; } = [.. AnthropicModels, .. extra.Select(name => new Model(name, 100_000))];
}
