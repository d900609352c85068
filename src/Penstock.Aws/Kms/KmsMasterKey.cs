using System.Text.Json;
using Penstock.Aws.Api;
using Penstock.Keys;

namespace Penstock.Aws.Kms;

/// <summary>
/// Data keys by <c>GenerateDataKey</c>, <c>Encrypt</c> and <c>Decrypt</c>. The encryption context is tenant, key and provider, which CloudTrail shows; KMS
/// refuses to decrypt under any other. The id of a master key is <c>kms:</c> and the ARN of the key that KMS used.
/// </summary>
internal sealed class KmsMasterKey(AwsClient aws, KmsOptions options) : IMasterKeyService
{
    private const string Scheme = "kms:";

    public string Name => $"KMS {options.KeyId}";

    public bool Knows(string masterKey) => masterKey.StartsWith(Scheme, StringComparison.Ordinal);

    public async Task<WrappedDataKey> MakeAsync(ProviderKeyName name, CancellationToken ct)
    {
        using var answer = await CallAsync("GenerateDataKey", name, json =>
        {
            json.WriteString("KeyId"u8, options.KeyId);
            json.WriteString("KeySpec"u8, "AES_256"u8);
        }, ct);
        return new WrappedDataKey(IdOf(answer), Bytes(answer, "Plaintext"), Bytes(answer, "CiphertextBlob"));
    }

    public async Task<WrappedDataKey> WrapAsync(ProviderKeyName name, ReadOnlyMemory<byte> dataKey, CancellationToken ct)
    {
        using var answer = await CallAsync("Encrypt", name, json =>
        {
            json.WriteString("KeyId"u8, options.KeyId);
            json.WriteBase64String("Plaintext"u8, dataKey.Span);
        }, ct);
        return new WrappedDataKey(IdOf(answer), dataKey, Bytes(answer, "CiphertextBlob"));
    }

    public async Task<byte[]?> UnwrapAsync(ProviderKeyName name, ReadOnlyMemory<byte> wrapped, CancellationToken ct)
    {
        try
        {
            // Which key it was stands in the ciphertext, so that one from before an alias was moved opens too.
            using var answer = await CallAsync("Decrypt", name, json => json.WriteBase64String("CiphertextBlob"u8, wrapped.Span), ct);
            return Bytes(answer, "Plaintext");
        }
        catch (MasterKeyUnavailableException e) when (e.InnerException is AwsException { Code: "InvalidCiphertextException" })
        {
            return null;
        }
    }

    private async Task<JsonDocument> CallAsync(string operation, ProviderKeyName name, Action<Utf8JsonWriter> write, CancellationToken ct)
    {
        try
        {
            return await aws.CallAsync(JsonService.Kms, operation, json =>
            {
                write(json);
                json.WriteStartObject("EncryptionContext"u8);
                json.WriteString("penstock:tenant"u8, name.Tenant.Value);
                if (name.Key is { } key) json.WriteString("penstock:key"u8, key.Value);
                json.WriteString("penstock:provider"u8, name.Provider);
                json.WriteEndObject();
            }, ct);
        }
        catch (AwsException e)
        {
            throw new MasterKeyUnavailableException(e.Message, e);
        }
    }

    private static string IdOf(JsonDocument answer) => Scheme + answer.RootElement.GetProperty("KeyId"u8).GetString();

    private static byte[] Bytes(JsonDocument answer, string name) => answer.RootElement.GetProperty(name).GetBytesFromBase64();
}
