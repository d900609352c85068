namespace Penstock.Upstream.Bedrock;

internal enum Maker
{
    Claude,
    Llama,
    Mistral,
    Nova,
    Titan,
}

/// <summary>What Bedrock knows of a model.</summary>
/// <param name="ProfileOnly">Called through an inference profile and in no other way.</param>
internal sealed record BedrockModel(string Id, Maker Maker, int MaxOutput, bool ProfileOnly = false, bool Images = false)
{
    private static readonly BedrockModel[] All =
    [
        new("anthropic.claude-haiku-4-5-20251001-v1:0", Maker.Claude, 64_000, ProfileOnly: true, Images: true),
        new("anthropic.claude-sonnet-4-20250514-v1:0", Maker.Claude, 64_000, ProfileOnly: true, Images: true),
        new("anthropic.claude-sonnet-4-5-20250929-v1:0", Maker.Claude, 64_000, ProfileOnly: true, Images: true),
        new("meta.llama3-1-70b-instruct-v1:0", Maker.Llama, 2_048),
        new("mistral.mistral-large-2407-v1:0", Maker.Mistral, 8_191),
        new("amazon.nova-lite-v1:0", Maker.Nova, 10_000, Images: true),
        new("amazon.nova-micro-v1:0", Maker.Nova, 10_000),
        new("amazon.titan-embed-text-v2:0", Maker.Titan, 0),
    ];

    private static readonly string[] Regions = ["us.", "eu.", "apac.", "global."];

    /// <param name="asked">An id, an inference profile, or an ARN of either.</param>
    public static BedrockModel Find(string asked)
    {
        var name = asked;
        if (asked.StartsWith("arn:aws:bedrock:", StringComparison.Ordinal)) name = asked[(asked.LastIndexOf('/') + 1)..];
        var region = Array.Find(Regions, region => name.StartsWith(region, StringComparison.Ordinal));
        var id = region is null ? name : name[region.Length..];
        var model = Array.Find(All, model => model.Id == id) ?? throw BedrockWording.Refuse("The provided model identifier is invalid.");
        if (region is null && model.ProfileOnly)
            throw BedrockWording.Refuse($"Invocation of model ID {id} with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.");
        return model;
    }
}
