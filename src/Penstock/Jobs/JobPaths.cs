using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Jobs;

/// <summary>Routes that may be called by a job: those that answer once, and whole.</summary>
internal static class JobPaths
{
    public const string Run = "/v1/agents/run";

    private const string Tool = "/v1/tools/{name}";
    private const string ToolPrefix = "/v1/tools/";

    private static readonly Dictionary<string, Scopes> Known = new(StringComparer.Ordinal)
    {
        ["/ai"] = Scopes.Complete,
        ["/v1/chat/completions"] = Scopes.Complete,
        ["/v1/classify"] = Scopes.Complete,
        ["/v1/complete"] = Scopes.Complete,
        ["/v1/extract"] = Scopes.Complete,
        ["/v1/messages"] = Scopes.Complete,
        ["/v1/suggest"] = Scopes.Complete,
        ["/v1/summarise"] = Scopes.Complete,
        ["/v1/summarize"] = Scopes.Complete,
        ["/v1/embed"] = Scopes.Embed,
        ["/v1/embeddings"] = Scopes.Embed,
        [Run] = Scopes.RunAgents,
    };

    /// <summary>Throws 400 for a path that no job calls.</summary>
    public static (string Path, Scopes Scope) Read(JsonView text)
    {
        var path = text.ShortText(200);
        if (Known.TryGetValue(path, out var scope)) return (path, scope);
        if (ToolOf(path) is not null) return (path, Scopes.CallTools);
        throw new RefusedException(Refusal.Invalid(text.Path, $"'{text.Path}' is no path that a job can call. Known: {string.Join(", ", Known.Keys.Order(StringComparer.Ordinal))}, {Tool}."));
    }

    /// <summary>The pattern as it is mapped.</summary>
    public static string RouteOf(string path) => ToolOf(path) is null ? path : Tool;

    /// <summary>Name of the tool that is called; null where none is.</summary>
    public static string? ToolOf(string path) =>
        path.StartsWith(ToolPrefix, StringComparison.Ordinal) && path[ToolPrefix.Length..] is { Length: > 0 } name && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.') ? name : null;
}
