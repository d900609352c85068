using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>Scopes as they stand in requests and in the store.</summary>
public static class ScopeNames
{
    private static readonly (Scopes Scope, string Name)[] Known =
    [
        (Scopes.Complete, "ai:complete"),
        (Scopes.Embed, "ai:embed"),
        (Scopes.RunAgents, "agent:run"),
        (Scopes.CallTools, "tool:call"),
        (Scopes.Admin, "admin"),
        (Scopes.Operator, "operator"),
    ];

    public static IEnumerable<string> Of(Scopes scopes) => Known.Where(known => scopes.HasFlag(known.Scope)).Select(known => known.Name);

    public static Scopes Parse(string name) => Find(name) ?? throw new ArgumentException($"'{name}' is no scope.", nameof(name));

    internal static Scopes Read(JsonView name) =>
        Find(name.Text()) ?? throw name.Bad($"must be one of {string.Join(", ", Known.Select(known => known.Name))}");

    internal static Scopes? Find(string name)
    {
        foreach (var known in Known)
        {
            if (known.Name == name) return known.Scope;
        }

        return null;
    }
}
