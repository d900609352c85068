using System.Text.Json;
using Penstock.Aws.Api;
using Penstock.Gateway.Routing;

namespace Penstock.Aws.ProviderKeys;

/// <summary>Secrets of Secrets Manager whose text is the key itself: <c>&lt;prefix&gt;/openai-api-key</c>, <c>&lt;prefix&gt;/anthropic-api-key</c>.</summary>
internal sealed class SecretProviderKeys(AwsClient aws, string prefix) : IPlatformKeySource
{
    public string Name => $"Secrets Manager {prefix}";

    public async Task<IReadOnlyDictionary<string, string>> ReadAsync(IReadOnlyList<string> vendors, CancellationToken ct)
    {
        try
        {
            using var answer = await aws.CallAsync(JsonService.Secrets, "BatchGetSecretValue", json =>
            {
                json.WriteStartArray("SecretIdList"u8);
                foreach (var vendor in vendors) json.WriteStringValue(KeyNames.Of(prefix, vendor));
                json.WriteEndArray();
            }, ct);
            Refuse(answer.RootElement);
            return KeyNames.Read(answer.RootElement, "SecretValues", "SecretString", prefix, vendors);
        }
        catch (AwsException e)
        {
            throw new PlatformKeysUnreadableException(e.Message, e);
        }
    }

    /// <summary>One that may not be read is told among the values of the others, as is one that is not there.</summary>
    private static void Refuse(JsonElement answer)
    {
        if (!answer.TryGetProperty("Errors"u8, out var errors) || errors.ValueKind != JsonValueKind.Array) return;
        foreach (var error in errors.EnumerateArray())
        {
            if (KeyNames.Text(error, "ErrorCode") is { } code && code != "ResourceNotFoundException") throw new PlatformKeysUnreadableException($"{KeyNames.Text(error, "SecretId")}: {code}");
        }
    }
}
