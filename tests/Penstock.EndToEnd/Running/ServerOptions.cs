using System.Security.Cryptography;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Running;

/// <summary>How a server process is started. Folders that are not given are made, and removed with the process.</summary>
internal sealed record ServerOptions
{
    public static string NewAdminKey() => $"sk-pen-test-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))}";

    public string AdminKey { get; init; } = NewAdminKey();

    /// <summary>The folder it runs in, where <c>penstock.json</c> lies; null for a new one.</summary>
    public string? Folder { get; init; }

    /// <summary>The text of <c>penstock.json</c>; null for none.</summary>
    public string? Config { get; init; }

    /// <summary>Over the usual ones; null takes one away.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    public static IReadOnlyDictionary<string, string?> Reaching(UpstreamServer upstream) => new Dictionary<string, string?>
    {
        ["OPENAI_API_KEY"] = UpstreamServer.OpenAiKey,
        ["OPENAI_BASE_URL"] = upstream.BaseUrl + "/v1",
        ["ANTHROPIC_API_KEY"] = UpstreamServer.AnthropicKey,
        ["ANTHROPIC_BASE_URL"] = upstream.BaseUrl,
    };
    /// <summary>AWS's models, signed for with the stand-in's key.</summary>
    public static IReadOnlyDictionary<string, string?> ReachingAws(UpstreamServer upstream, string secret = UpstreamServer.AwsSecret) => new Dictionary<string, string?>
    {
        ["AWS_REGION"] = "us-east-1",
        ["AWS_ACCESS_KEY_ID"] = UpstreamServer.AwsKeyId,
        ["AWS_SECRET_ACCESS_KEY"] = secret,
        ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = upstream.BaseUrl,
        ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] = upstream.BaseUrl,
    };
}
