namespace Penstock.Mcp;

/// <summary>
/// Revisions of the protocol that are spoken here. Those of before 2026-07-28 begin with <c>initialize</c>; from it on every request says its version
/// itself and there is no handshake.
/// </summary>
/// <seealso href="https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning"/>
internal static class McpVersions
{
    public const string WithoutHandshake = "2026-07-28";
    public const string LastWithHandshake = "2025-11-25";

    public static readonly IReadOnlyList<string> All = [WithoutHandshake, LastWithHandshake, "2025-06-18"];

    /// <summary>What <c>initialize</c> settles on: what the client asks for where that has a handshake and is known, else the last that has one.</summary>
    public static string Agreed(string? asked) => asked is not null && asked != WithoutHandshake && All.Contains(asked) ? asked : LastWithHandshake;
}
