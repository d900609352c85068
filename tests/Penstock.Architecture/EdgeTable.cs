namespace Penstock.Architecture;

/// <summary>What may use what, as a table of ARCHITECTURE.md says.</summary>
/// <param name="ForAll">What every row may use.</param>
internal sealed record EdgeTable(IReadOnlyDictionary<string, IReadOnlyList<string>> Rows, IReadOnlyList<string> ForAll)
{
    private const string Everyone = "every slice";

    public static EdgeTable Read(string markdown, string heading)
    {
        var rows = MarkdownTable.Under(markdown, heading).ToDictionary(row => row[0], row => (IReadOnlyList<string>)Names(row[1]));
        rows.Remove(Everyone, out var forAll);
        return new EdgeTable(rows, forAll ?? []);
    }

    public bool Knows(string name) => Rows.ContainsKey(name) || ForAll.Contains(name);

    public bool Allows(Edge edge) => ForAll.Contains(edge.To) || (Rows.TryGetValue(edge.From, out var allowed) && allowed.Contains(edge.To));

    /// <summary>Edges that are in the code and not in the table, and slices the table does not name.</summary>
    public IEnumerable<Breach> Forbidden(IEnumerable<Edge> edges)
    {
        foreach (var edge in edges)
        {
            if (!Knows(edge.From)) yield return new Breach(edge.Where, $"'{edge.From}' has no row in ARCHITECTURE.md");
            else if (ForAll.Contains(edge.From)) yield return new Breach(edge.Where, $"'{edge.From}' is used by all and may use nothing, but uses {edge.To}");
            else if (!Allows(edge)) yield return new Breach(edge.Where, $"{edge.From} → {edge.To} is not in ARCHITECTURE.md");
        }
    }

    /// <summary>Edges of the table that no code uses.</summary>
    public IEnumerable<Breach> Stale(IReadOnlyCollection<Edge> edges)
    {
        foreach (var (from, allowed) in Rows)
        {
            foreach (var to in allowed.Where(to => !edges.Any(edge => edge.From == from && edge.To == to)))
            {
                yield return new Breach("ARCHITECTURE.md", $"{from} → {to} is allowed but no code uses it; remove it");
            }
        }
    }

    /// <summary>A circle such as <c>A → B → A</c>, or null.</summary>
    public static string? Circle(IReadOnlyCollection<Edge> edges)
    {
        var next = edges.ToLookup(edge => edge.From, edge => edge.To);
        var done = new HashSet<string>();
        return next.Select(group => Walk(group.Key, [], next, done)).FirstOrDefault(circle => circle is not null);
    }

    private static string? Walk(string at, List<string> path, ILookup<string, string> next, HashSet<string> done)
    {
        if (path.IndexOf(at) is var seen and >= 0) return string.Join(" → ", [.. path[seen..], at]);
        if (!done.Add(at)) return null;

        path.Add(at);
        var circle = next[at].Distinct().Select(to => Walk(to, path, next, done)).FirstOrDefault(found => found is not null);
        path.RemoveAt(path.Count - 1);
        return circle;
    }

    private static string[] Names(string cell) => cell.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}

/// <param name="Where">The file that uses it, with the line where known.</param>
internal sealed record Edge(string From, string To, string Where);
