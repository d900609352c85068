using Penstock.Aws.Api;
using Penstock.Gateway.Routing;

namespace Penstock.Aws.ProviderKeys;

/// <summary>Parameters of Systems Manager, <c>SecureString</c> by choice: <c>&lt;prefix&gt;/openai-api-key</c>, <c>&lt;prefix&gt;/anthropic-api-key</c>.</summary>
internal sealed class SsmProviderKeys(AwsClient aws, string prefix) : IPlatformKeySource
{
    public string Name => $"SSM {prefix}";

    public async Task<IReadOnlyDictionary<string, string>> ReadAsync(IReadOnlyList<string> vendors, CancellationToken ct)
    {
        try
        {
            using var answer = await aws.CallAsync(JsonService.Ssm, "GetParameters", json =>
            {
                json.WriteStartArray("Names"u8);
                foreach (var vendor in vendors) json.WriteStringValue(KeyNames.Of(prefix, vendor));
                json.WriteEndArray();
                json.WriteBoolean("WithDecryption"u8, true);
            }, ct);
            return KeyNames.Read(answer.RootElement, "Parameters", "Value", prefix, vendors);
        }
        catch (AwsException e)
        {
            throw new PlatformKeysUnreadableException(e.Message, e);
        }
    }
}
