using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Penstock.Emulators;

/// <summary>
/// Parameter Store, Secrets Manager and KMS as far as we call them, on a socket behind the gate, as strict as they are: the target, the content type and each
/// member must be one they know, a ciphertext opens under its context only, and errors have their shape.
/// </summary>
internal sealed class SecretServices : IAsyncDisposable
{
    public const string AccessKey = "AKIAIOSFODNN7EXAMPLE";
    public const string Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    private const string KeyArn = "arn:aws:kms:us-east-1:000000000000:key/7f1c7e4c-1111-2222-3333-444455556666";
    private readonly WebApplication _app;
    private NodeServer? _gate;

    private SecretServices()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.MapPost("/", AnswerAsync);
    }

    /// <summary>By name; a value is given in the open only where that was asked for.</summary>
    public ConcurrentDictionary<string, string> Parameters { get; } = new();

    public ConcurrentDictionary<string, string> Secrets { get; } = new();

    /// <summary>Error code that every call gets; null for none.</summary>
    public string? Failing { get; set; }

    /// <summary>Operations that were called, in order.</summary>
    public ConcurrentQueue<string> Called { get; } = new();

    public Uri Endpoint => _gate!.Endpoint;

    public static async Task<SecretServices> StartAsync()
    {
        var services = new SecretServices();
        await services._app.StartAsync();
        services._gate = await NodeServer.StartAsync("gate.mjs", $"{new Uri(services._app.Urls.Single()).Port}", AccessKey, Secret);
        return services;
    }

    public async ValueTask DisposeAsync()
    {
        if (_gate is not null) await _gate.DisposeAsync();
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        var target = http.Request.Headers["x-amz-target"].ToString();
        var body = (await JsonNode.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted))!.AsObject();
        Called.Enqueue(target.Split('.')[^1]);
        var (status, answer) = http.Request.ContentType != "application/x-amz-json-1.1" ? Refuse("UnknownOperationException")
            : Failing is { } code ? Refuse(code)
            : target switch
            {
                "AmazonSSM.GetParameters" => GetParameters(body),
                "secretsmanager.BatchGetSecretValue" => BatchGet(body),
                "TrentService.GenerateDataKey" => GenerateDataKey(body),
                "TrentService.Encrypt" => Encrypt(body),
                "TrentService.Decrypt" => Decrypt(body),
                _ => Refuse("UnknownOperationException"),
            };
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/x-amz-json-1.1";
        await http.Response.WriteAsync(answer.ToJsonString(), http.RequestAborted);
    }

    private (int, JsonObject) GetParameters(JsonObject body)
    {
        if (HasMore(body, "Names", "WithDecryption") || body["Names"]?.AsArray() is not { Count: >= 1 and <= 10 } names) return Refuse("ValidationException");
        var open = (bool?)body["WithDecryption"] ?? false;
        var (found, invalid) = (new JsonArray(), new JsonArray());
        foreach (var name in names.Select(each => (string)each!))
        {
            if (Parameters.TryGetValue(name, out var value)) found.Add(new JsonObject { ["Name"] = name, ["Type"] = "SecureString", ["Value"] = open ? value : "AQICAHh…", ["Version"] = 1, ["ARN"] = $"arn:aws:ssm:us-east-1:000000000000:parameter{name}" });
            else invalid.Add((JsonNode)name);
        }

        return (200, new JsonObject { [nameof(Parameters)] = found, ["InvalidParameters"] = invalid });
    }

    private (int, JsonObject) BatchGet(JsonObject body)
    {
        if (HasMore(body, "SecretIdList") || body["SecretIdList"]?.AsArray() is not { Count: >= 1 and <= 20 } names) return Refuse("InvalidParameterException");
        var (found, errors) = (new JsonArray(), new JsonArray());
        foreach (var name in names.Select(each => (string)each!))
        {
            if (Secrets.TryGetValue(name, out var value)) found.Add(new JsonObject { ["Name"] = name, ["ARN"] = $"arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}-AbCdEf", ["SecretString"] = value, ["VersionId"] = "1" });
            else errors.Add(new JsonObject { ["SecretId"] = name, ["ErrorCode"] = "ResourceNotFoundException", ["Message"] = "Secrets Manager can't find the specified secret." });
        }

        return (200, new JsonObject { ["SecretValues"] = found, ["Errors"] = errors });
    }

    private static (int, JsonObject) GenerateDataKey(JsonObject body)
    {
        if (HasMore(body, "KeyId", "KeySpec", "EncryptionContext") || (string?)body["KeySpec"] != "AES_256") return Refuse("ValidationException");
        if ((string?)body["KeyId"] != "alias/penstock") return Refuse("NotFoundException");
        var key = RandomNumberGenerator.GetBytes(32);
        return (200, new JsonObject { ["CiphertextBlob"] = Wrap(key, body), ["Plaintext"] = Convert.ToBase64String(key), ["KeyId"] = KeyArn });
    }

    private static (int, JsonObject) Encrypt(JsonObject body)
    {
        if (HasMore(body, "KeyId", "Plaintext", "EncryptionContext")) return Refuse("ValidationException");
        if ((string?)body["KeyId"] != "alias/penstock") return Refuse("NotFoundException");
        return (200, new JsonObject { ["CiphertextBlob"] = Wrap(Convert.FromBase64String((string)body["Plaintext"]!), body), ["KeyId"] = KeyArn, ["EncryptionAlgorithm"] = "SYMMETRIC_DEFAULT" });
    }

    private static (int, JsonObject) Decrypt(JsonObject body)
    {
        if (HasMore(body, "CiphertextBlob", "EncryptionContext")) return Refuse("ValidationException");
        var blob = Convert.FromBase64String((string)body["CiphertextBlob"]!);
        if (blob.Length != 64 || !blob.AsSpan(32).SequenceEqual(Seal(blob.AsSpan(0, 32), body))) return Refuse("InvalidCiphertextException");
        return (200, new JsonObject { ["Plaintext"] = Convert.ToBase64String(Turn(blob.AsSpan(0, 32))), ["KeyId"] = KeyArn, ["EncryptionAlgorithm"] = "SYMMETRIC_DEFAULT" });
    }

    /// <summary>Bound to the context, and not the key in the open: enough to catch a caller who mixes them up.</summary>
    private static string Wrap(byte[] key, JsonObject body)
    {
        var turned = Turn(key);
        return Convert.ToBase64String([.. turned, .. Seal(turned, body)]);
    }

    private static byte[] Seal(ReadOnlySpan<byte> turned, JsonObject body) =>
        HMACSHA256.HashData("the master key"u8, [.. turned, .. System.Text.Encoding.UTF8.GetBytes(string.Join('\n', body["EncryptionContext"]?.AsObject().OrderBy(each => each.Key, StringComparer.Ordinal).Select(each => $"{each.Key}={each.Value}") ?? []))]);

    private static byte[] Turn(ReadOnlySpan<byte> key) => [.. key.ToArray().Select(each => (byte)~each)];

    private static bool HasMore(JsonObject body, params string[] known) => body.Any(member => !known.Contains(member.Key));

    private static (int, JsonObject) Refuse(string code) => (code == "InternalServerError" ? 500 : 400, new JsonObject { ["__type"] = code, ["message"] = "made by a test" });
}
