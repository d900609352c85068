using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tools.Custom;
using Penstock.Tools.Functions;
using Penstock.Tools.Mcp;

namespace Penstock.Tools;

/// <summary>Every tool there is now, and who may call which.</summary>
internal sealed class ToolBox(IEnumerable<ITool> builtIn, ToolSection section, EndpointCalls endpoints, McpServers servers, IEnumerable<IToolFunctions> functions)
{
    private readonly IReadOnlyList<ITool> _builtIn = [.. builtIn];
    private readonly IToolFunctions? _functions = functions.FirstOrDefault();

    /// <summary>What this caller may call now, by name.</summary>
    public IReadOnlyList<ITool> For(Caller caller) => [.. Now().Where(tool => Why(caller, tool.Spec) is null).OrderBy(tool => tool.Spec.Name, StringComparer.Ordinal)];

    /// <summary>Throws 404 that names what there is, and 403 where the key may not call it.</summary>
    public ITool Find(Caller caller, string name) => Find(caller, name, Now());

    /// <summary>The same of those that are built in, as they are carried out in this process.</summary>
    public ITool FindHere(Caller caller, string name) => Find(caller, name, On());

    private ITool Find(Caller caller, string name, IEnumerable<ITool> among)
    {
        if (among.FirstOrDefault(tool => tool.Spec.Name == name) is not { } found)
            throw new RefusedException(new Refusal(RefusalKind.NotFound, "tool_not_found", $"There is no tool '{Shown(name)}'. This key may call: {List(caller)}."));
        return Why(caller, found.Spec) is { } refusal ? throw new RefusedException(refusal) : found;
    }

    /// <summary>A key without a list may call what is built in; with one, what it names.</summary>
    private static Refusal? Why(Caller caller, ToolSpec tool)
    {
        var key = caller.Key;
        if (!caller.Has(Scopes.CallTools)) return Missing(key, Scopes.CallTools, tool);
        if (!caller.Has(tool.Needs)) return Missing(key, tool.Needs, tool);
        var listed = key.Tools.Count == 0 ? tool.Kind == ToolKind.BuiltIn : key.Tools.Any(pattern => NamePattern.Fits(pattern, tool.Name));
        return listed ? null : new Refusal(RefusalKind.Forbidden, "tool_not_allowed", $"Key '{key.Id}' may not call the tool '{tool.Name}'. Ask an admin for a key whose 'tools' name it.");
    }

    private IEnumerable<ITool> On() => _builtIn.Where(tool => !section.Current.Off.Contains(tool.Spec.Name));

    private IEnumerable<ITool> Now()
    {
        var options = section.Current;
        return [.. On().Select(tool => _functions is { } elsewhere && options.Functions.TryGetValue(tool.Spec.Name, out var function) ? new FunctionTool(tool, function, elsewhere) : tool), .. options.Endpoints.Select(endpoint => new EndpointTool(endpoint, endpoints)), .. servers.Servers.SelectMany(server => server.Tools)];
    }

    private string List(Caller caller) => string.Join(", ", For(caller).Select(tool => tool.Spec.Name)) is { Length: > 0 } names ? names : "none";

    private static string Shown(string name) => name.Length <= 100 && Http.OneLine.Is(name) ? name : "(unreadable)";

    private static Refusal Missing(KeyRecord key, Scopes scope, ToolSpec tool) =>
        new(RefusalKind.Forbidden, "missing_scope", $"Key '{key.Id}' lacks the scope '{string.Join(' ', ScopeNames.Of(scope))}', which the tool '{tool.Name}' needs. Ask an admin for a key that has it.");
}

/// <summary>A name, or its beginning and <c>*</c>.</summary>
internal static class NamePattern
{
    public static bool Fits(string pattern, string name) => pattern.EndsWith('*') ? name.StartsWith(pattern[..^1], StringComparison.Ordinal) : pattern == name;
}
