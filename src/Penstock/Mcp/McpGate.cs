using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Mcp;

/// <summary>What a request must be before its message is looked at.</summary>
internal sealed class McpGate(McpSection section, Admission admission, IdSource ids)
{
    /// <summary>The arguments of a call that has none.</summary>
    public JsonElement Nothing { get; } = JsonDocument.Parse("{}").RootElement;

    public string NewSession() => ids.Hex(16);

    /// <summary>Throws 403 for a page that may not call.</summary>
    public void CheckOrigin(HttpContext http)
    {
        if (section.Allows(http.Request.Headers.Origin.ToString())) return;
        throw new RefusedException(new Refusal(RefusalKind.Forbidden, "origin_not_allowed", "Pages of this origin may not call here. An operator can list it under mcp.allowedOrigins in penstock.json."));
    }

    public Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext http, Caller caller) => admission.ReadAsync(http, caller);
}
