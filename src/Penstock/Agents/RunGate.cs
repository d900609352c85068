using System.Globalization;
using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary>What the routes of agents share: who calls, what stands in the address, and the runs below a run.</summary>
internal sealed class RunGate(KeyRing keys, AgentSection section, IRunStore store, Drain drain)
{
    /// <summary>Runs of a tree that are shown, and how deep.</summary>
    private const int MostInTree = 200;
    private const int Deepest = 8;

    public AgentOptions Options => section.Current;

    /// <summary>Cancelled when this server begins to stop.</summary>
    public CancellationToken Begun => drain.Begun;

    public ValueTask<Caller> AuthenticateAsync(HttpContext http) => keys.AuthenticateAsync(http, Scopes.RunAgents);

    public static string Id(HttpContext http) => (string)http.Request.RouteValues["id"]!;

    /// <summary>A name that its client chose. The server leaves a slash in it as it is written, so that it ends no segment.</summary>
    public static string Name(HttpContext http, string value) => RunNames.Label(((string)http.Request.RouteValues[value]!).Replace("%2F", "/", StringComparison.OrdinalIgnoreCase), value);

    public static void CheckQuery(IQueryCollection query, params ReadOnlySpan<string> known)
    {
        foreach (var (name, values) in query)
        {
            if (!known.Contains(name)) throw new RefusedException(Refusal.Invalid(name, $"'{name}' is no parameter here. Known: {(known.IsEmpty ? "none" : string.Join(", ", known!))}."));
            if (values.Count > 1) throw new RefusedException(Refusal.Invalid(name, $"'{name}' is given {values.Count} times; give it once."));
        }
    }

    public static string? Text(IQueryCollection query, string name) => query[name].ToString() is { Length: > 0 } text ? text : null;

    public static int Whole(IQueryCollection query, string name, int usual, int most)
    {
        if (Text(query, name) is not { } text) return usual;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= 1 && value <= most
            ? value
            : throw new RefusedException(Refusal.Invalid(name, $"'{name}' must be a whole number from 1 to {most}."));
    }

    public async Task<IReadOnlyList<RunTree>> TreeAsync(RunRecord run, CancellationToken ct) => await BelowAsync(run, Deepest, new Count(), ct);

    private async Task<IReadOnlyList<RunTree>> BelowAsync(RunRecord run, int depth, Count count, CancellationToken ct)
    {
        if (depth == 0) return [];
        var below = new List<RunTree>();
        foreach (var child in await store.ChildrenAsync(run.Tenant, run.Id, ct))
        {
            if (++count.Value > MostInTree) break;
            below.Add(new RunTree(child, await BelowAsync(child, depth - 1, count, ct)));
        }

        return below;
    }

    private sealed class Count
    {
        public int Value { get; set; }
    }
}
