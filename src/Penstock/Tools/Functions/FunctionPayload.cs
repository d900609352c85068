using System.Buffers;
using System.Text.Json;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Tools.Functions;

/// <summary>
/// What stands between a gateway and a function that is one of its tools. No key's secret is in it: who may call the function is decided by who may invoke it,
/// and the function reads the key's record anew.
/// </summary>
/// <param name="Caller">As it was, but for what the store knows better.</param>
internal sealed record FunctionPayload(string Tool, JsonView Arguments, string IdempotencyKey, RequestId Request, string Route, string? Conversation, TimeSpan? Timeout, FunctionCaller Caller)
{
    private const string ConversationHeader = "x-penstock-conversation";
    private const int LongestId = 512;

    public static ReadOnlyMemory<byte> Write(ToolSpec tool, ToolCall call) => Bytes(json =>
    {
        json.WriteString("penstock", "tool.call");
        json.WriteString("tool", tool.Name);
        json.WriteString("idempotencyKey", call.IdempotencyKey);
        json.WriteString("request", call.Request.Value);
        json.WriteString("route", RequestEdge.RouteOf(call.Http));
        if (call.Http.Request.Headers[ConversationHeader].ToString() is { Length: > 0 } conversation) json.WriteString("conversation", conversation);
        json.WriteNumber("timeoutMs", (long)(call.Timeout is { } own && own < tool.Timeout ? own : tool.Timeout).TotalMilliseconds);
        json.WriteStartObject("caller");
        FunctionCaller.Write(json, call.Caller);
        json.WriteEndObject();
        json.WritePropertyName("arguments");
        call.Arguments.Element.WriteTo(json);
    });

    /// <summary>Throws 400 where it is none.</summary>
    public static FunctionPayload Read(ReadOnlyMemory<byte> payload)
    {
        var root = JsonView.Parse(payload);
        return new FunctionPayload(
            root.Required("tool").ShortText(LongestId),
            root.Required("arguments"),
            root.Required("idempotencyKey").ShortText(LongestId),
            new RequestId(root.Required("request").ShortText(LongestId)),
            root.Required("route").ShortText(LongestId),
            root.Optional("conversation")?.ShortText(LongestId),
            root.Optional("timeoutMs") is { } timeout ? TimeSpan.FromMilliseconds(timeout.Whole(1)) : null,
            FunctionCaller.Read(root.Required("caller")));
    }

    public static ReadOnlyMemory<byte> Answer(ToolResult result) => Bytes(json =>
    {
        json.WriteNumber("cost", result.Cost.NanoDollars);
        json.WritePropertyName("output");
        result.Output.WriteTo(json);
    });

    public static ReadOnlyMemory<byte> Answer(Refusal refusal) => Bytes(json =>
    {
        json.WriteStartObject("refusal");
        json.WriteNumber("status", refusal.Status);
        json.WriteString("code", refusal.Code);
        json.WriteString("message", refusal.Message);
        if (refusal.Field is { } field) json.WriteString("field", field);
        if (refusal.RetryAfter is { } wait) json.WriteNumber("retryAfterMs", (long)Math.Ceiling(wait.TotalMilliseconds));
        json.WriteBoolean("retryable", refusal.Retryable);
        json.WriteEndObject();
    });

    /// <summary>What the function said; throws its refusal, or says that it is no answer.</summary>
    public static ToolResult Read(ToolSpec tool, ReadOnlyMemory<byte> answer)
    {
        Refusal refused;
        try
        {
            var root = JsonView.Parse(answer);
            if (root.Optional("refusal") is not { } refusal) return new ToolResult(root.Required("output").Element, new Money(root.Required("cost").WholeLong(0)));
            refused = ReadRefusal(refusal);
        }
        catch (RefusedException)
        {
            throw ToolRefusals.Unfit(tool, "it is no answer of a function that is a tool of Penstock");
        }

        throw new RefusedException(refused);
    }

    private static Refusal ReadRefusal(JsonView refusal)
    {
        var kind = (RefusalKind)refusal.Required("status").Whole();
        if (!Enum.IsDefined(kind)) throw refusal.Bad("has a status that is no refusal's");
        return new Refusal(kind, refusal.Required("code").NonEmptyText(), refusal.Required("message").Text())
        {
            Field = refusal.Optional("field")?.Text(),
            RetryAfter = refusal.Optional("retryAfterMs") is { } wait ? TimeSpan.FromMilliseconds(wait.Whole(0)) : null,
            Retryable = refusal.Required("retryable").Flag(),
        };
    }

    private static ReadOnlyMemory<byte> Bytes(Action<Utf8JsonWriter> members)
    {
        var bytes = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(bytes, Json.Options);
        json.WriteStartObject();
        members(json);
        json.WriteEndObject();
        json.Flush();
        return bytes.WrittenMemory;
    }
}

/// <summary>On whose account a function works.</summary>
/// <param name="Token">What a token's key allowed, which is stored nowhere; null for a key that is stored, and is asked anew.</param>
internal sealed record FunctionCaller(TenantId Tenant, KeyId Key, KeyRecord? Token, string? Run, IReadOnlyList<RunEnvelope> Envelopes)
{
    private const int LongestName = 512;
    private const int LongestPath = 4_000;

    public static void Write(Utf8JsonWriter json, Caller caller)
    {
        var key = caller.Key;
        json.WriteString("tenant", key.Tenant.Value);
        json.WriteString("key", key.Id.Value);
        if (key.Hash.IsEmpty)
        {
            json.WriteStartObject("token");
            json.WriteString("project", key.Project.Value);
            json.WriteNumber("scopes", (int)key.Scopes);
            json.WriteString("createdAt", key.CreatedAt);
            WriteNames(json, "models", key.Models);
            WriteNames(json, "tools", key.Tools);
            json.WriteEndObject();
        }

        if (caller.Run is not { } run) return;
        json.WriteString("run", run);
        json.WriteStartArray("envelopes");
        foreach (var envelope in caller.Envelopes)
        {
            json.WriteStartObject();
            json.WriteString("run", envelope.Run.Value);
            json.WriteNumber("limit", envelope.Limit.NanoDollars);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    public static FunctionCaller Read(JsonView caller)
    {
        var tenant = new TenantId(caller.Required("tenant").ShortText(LongestName));
        var key = new KeyId(caller.Required("key").ShortText(LongestName));
        return new FunctionCaller(
            tenant,
            key,
            caller.Optional("token") is { } token ? ReadToken(tenant, key, token) : null,
            caller.Optional("run")?.ShortText(LongestPath),
            [.. (caller.Optional("envelopes")?.Items() ?? []).Select(envelope => new RunEnvelope(new RunId(envelope.Required("run").ShortText(LongestName)), new Money(envelope.Required("limit").WholeLong(0))))]);
    }

    private static KeyRecord ReadToken(TenantId tenant, KeyId key, JsonView token) => new()
    {
        Tenant = tenant,
        Project = new ProjectId(token.Required("project").ShortText(LongestName)),
        Id = key,
        Name = key.Value,
        Hash = ReadOnlyMemory<byte>.Empty,
        Scopes = (Scopes)token.Required("scopes").Whole(0),
        CreatedAt = token.Required("createdAt").Element.GetDateTimeOffset(),
        Models = [.. token.Required("models").Items().Select(name => name.Text())],
        Tools = [.. token.Required("tools").Items().Select(name => name.Text())],
    };

    private static void WriteNames(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
