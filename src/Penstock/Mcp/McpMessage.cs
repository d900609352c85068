using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Kernel;

namespace Penstock.Mcp;

/// <summary>One JSON-RPC message of a client.</summary>
/// <param name="Id">Null for a notification, and for an answer to a request of ours, of which there are none.</param>
/// <param name="Method">Empty for such an answer.</param>
internal sealed record McpMessage(JsonElement? Id, string Method, JsonView? Params)
{
    public const string VersionHeader = "MCP-Protocol-Version";

    private const string VersionField = "io.modelcontextprotocol/protocolVersion";
    private const string Encoded = "=?base64?";
    private const string EncodedEnd = "?=";

    /// <summary>True where the message says its version itself, as it does since there is no handshake.</summary>
    public bool HasNoHandshake => OwnVersion() is not null;

    /// <summary>Throws <see cref="McpException"/> for what is no message.</summary>
    public static McpMessage Parse(ReadOnlyMemory<byte> body)
    {
        if (body.Span.TrimStart(" \t\r\n"u8) is [(byte)'[', ..])
            throw new McpException(new McpError(McpError.InvalidRequest, "Batches are not taken; send one message a request.", StatusCodes.Status400BadRequest));
        JsonView root;
        try
        {
            root = JsonView.Parse(body);
        }
        catch (RefusedException e)
        {
            throw new McpException(new McpError(McpError.ParseError, e.Refusal.Message, StatusCodes.Status400BadRequest));
        }

        return Read(root);
    }

    /// <summary>Throws <see cref="McpException"/> where a header says other than the message, or the version is not spoken here.</summary>
    public void CheckHeaders(IHeaderDictionary headers)
    {
        var sent = headers[VersionHeader].ToString();
        var own = OwnVersion();
        if (own is null)
        {
            if (sent == McpVersions.WithoutHandshake) throw Mismatch($"{VersionHeader} is {sent}, and the message has no '_meta[\"{VersionField}\"]'.");
            if (sent.Length > 0 && !McpVersions.All.Contains(sent)) throw Unsupported(sent);
            return;
        }

        if (!McpVersions.All.Contains(own) || own != McpVersions.WithoutHandshake) throw Unsupported(own);
        if (sent != own) throw Mismatch($"{VersionHeader} is '{sent}', and the message says '{own}'.");
        if (Id is null) return;
        if (headers["Mcp-Method"].ToString() is var method && method != Method) throw Mismatch($"Mcp-Method is '{method}', and the message says '{Method}'.");
        if (Method == "tools/call" && Decoded(headers["Mcp-Name"].ToString()) is var name && name != TextOf("name")) throw Mismatch($"Mcp-Name is '{name}', and the message says '{TextOf("name")}'.");
    }

    /// <summary>A parameter that is a text; null where it is absent or something else.</summary>
    public string? TextOf(string name) => Params?.Optional(name) is { Kind: JsonValueKind.String } text ? text.Text() : null;

    private static McpMessage Read(JsonView root)
    {
        try
        {
            if (root.Optional("jsonrpc") is not { Kind: JsonValueKind.String } version || version.Text() != "2.0") throw root.Bad("is no JSON-RPC 2.0 message");
            var id = root.Optional("id");
            if (id is { Kind: not (JsonValueKind.String or JsonValueKind.Number) } other) throw other.Bad("must be a string or a number");
            // It goes back as it came, and half of a surrogate pair could not.
            if (id is { Kind: JsonValueKind.String } text) text.Text();
            if (root.Optional("method") is not { } method)
                return root.Optional("result") is not null || root.Optional("error") is not null ? new McpMessage(null, "", null) : throw root.Bad("has no 'method'");
            var parameters = root.Optional("params");
            return parameters is null or { Kind: JsonValueKind.Object } ? new McpMessage(id?.Element, method.Text(), parameters) : throw parameters.Value.Bad("must be an object");
        }
        catch (RefusedException e)
        {
            throw new McpException(new McpError(McpError.InvalidRequest, e.Refusal.Message, StatusCodes.Status400BadRequest));
        }
    }

    private string? OwnVersion() => Params?.Optional("_meta") is { Kind: JsonValueKind.Object } meta && meta.Optional(VersionField) is { Kind: JsonValueKind.String } version ? version.Text() : null;

    /// <summary>A name that no header may hold comes in base64.</summary>
    private static string? Decoded(string value)
    {
        if (!value.StartsWith(Encoded, StringComparison.Ordinal) || !value.EndsWith(EncodedEnd, StringComparison.Ordinal) || value.Length < Encoded.Length + EncodedEnd.Length) return value;
        var bytes = new byte[value.Length];
        return Convert.TryFromBase64String(value[Encoded.Length..^EncodedEnd.Length], bytes, out var length) ? Encoding.UTF8.GetString(bytes, 0, length) : null;
    }

    private static McpException Mismatch(string what) => new(new McpError(McpError.HeaderMismatch, $"Header mismatch: {what}", StatusCodes.Status400BadRequest));

    private static McpException Unsupported(string version) =>
        new(new McpError(McpError.UnsupportedVersion, "Unsupported protocol version", StatusCodes.Status400BadRequest) { Requested = version });
}
