using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using Penstock.Http;

namespace Penstock.Idempotency;

/// <summary>
/// An answer as the store has it: sealed under a key that is made from the API key which asked, so that the store alone, or a copy of it, shows nobody an
/// answer. AES-256-GCM: 12 bytes nonce, 16 bytes tag, ciphertext. Whose answer it is and to what is sealed in with it.
/// </summary>
internal static class SealedAnswer
{
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int KeyBytes = 32;

    private static ReadOnlySpan<byte> Purpose => "penstock idempotency 1"u8;

    public static byte[] Seal(string apiKey, IdempotencyName name, ReadOnlySpan<byte> requestHash, RecordedHead head, ReadOnlySpan<byte> body)
    {
        var plain = Write(head, body);
        var answer = new byte[NonceBytes + TagBytes + plain.Length];
        var nonce = answer.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(KeyFrom(apiKey), TagBytes);
        aes.Encrypt(nonce, plain, answer.AsSpan(NonceBytes + TagBytes), answer.AsSpan(NonceBytes, TagBytes), Bound(name, requestHash));
        return answer;
    }

    /// <summary>Null where another key sealed it.</summary>
    public static (RecordedHead Head, ReadOnlyMemory<byte> Body)? Open(string apiKey, IdempotencyName name, ReadOnlySpan<byte> requestHash, ReadOnlySpan<byte> answer)
    {
        var plain = new byte[answer.Length - NonceBytes - TagBytes];
        using var aes = new AesGcm(KeyFrom(apiKey), TagBytes);
        try
        {
            aes.Decrypt(answer[..NonceBytes], answer[(NonceBytes + TagBytes)..], answer.Slice(NonceBytes, TagBytes), plain, Bound(name, requestHash));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }

        return Read(plain);
    }

    /// <summary>The secret holds 256 random bits: it needs to be spread, not to be made slow.</summary>
    private static byte[] KeyFrom(string apiKey)
    {
        var key = new byte[KeyBytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.ASCII.GetBytes(apiKey), key, [], Purpose);
        return key;
    }

    private static byte[] Bound(IdempotencyName name, ReadOnlySpan<byte> requestHash) =>
        [.. SHA256.HashData(Encoding.UTF8.GetBytes($"{name.Tenant}\n{name.Key}\n{name.Value}")), .. requestHash];

    /// <summary>The head's length, the head as JSON, the body.</summary>
    private static byte[] Write(RecordedHead head, ReadOnlySpan<byte> body)
    {
        var written = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(written, Json.Options))
        {
            json.WriteStartArray();
            json.WriteNumberValue(head.Status);
            foreach (var (name, values) in head.Headers)
            {
                json.WriteStartArray();
                json.WriteStringValue(name);
                foreach (var value in values) json.WriteStringValue(value);
                json.WriteEndArray();
            }

            json.WriteEndArray();
        }

        return [.. BitConverter.GetBytes(written.WrittenCount), .. written.WrittenSpan, .. body];
    }

    private static (RecordedHead Head, ReadOnlyMemory<byte> Body) Read(byte[] plain)
    {
        var length = BitConverter.ToInt32(plain);
        using var json = JsonDocument.Parse(plain.AsMemory(sizeof(int), length));
        var parts = json.RootElement.EnumerateArray().ToArray();
        var headers = parts[1..].Select(part => part.EnumerateArray().Select(text => text.GetString()!).ToArray()).Select(texts => new KeyValuePair<string, StringValues>(texts[0], texts[1..]));
        return (new RecordedHead(parts[0].GetInt32(), [.. headers]), plain.AsMemory(sizeof(int) + length));
    }
}
