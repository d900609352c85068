using System.Xml.Linq;

namespace Penstock.Architecture;

/// <summary>Which project of src references which, and which packages they name.</summary>
internal static class ProjectEdges
{
    /// <summary>Edges between projects by name; every project below src/hosts is called <c>hosts</c>, and one outside src by its path.</summary>
    public static IReadOnlyList<Edge> Find(IEnumerable<SourceFile> projects) =>
        [.. from project in projects
            from reference in Includes(project, "ProjectReference")
            let user = NameOf(project.Path)
            let used = NameOf(Resolve(project.Path, reference))
            select new Edge(user, used, project.Path)];

    public static IEnumerable<Breach> Forbidden(IEnumerable<Edge> edges, EdgeTable table)
    {
        foreach (var edge in edges)
        {
            var free = table.Rows.TryGetValue(edge.From, out var allowed) && allowed is ["anything"];
            if (edge.To == "hosts") yield return new Breach(edge.Where, $"{edge.From} → {edge.To}: nothing may use a host");
            else if (!free && !table.Allows(edge)) yield return new Breach(edge.Where, $"{edge.From} → {edge.To} is not in ARCHITECTURE.md");
        }
    }

    public static IEnumerable<Breach> Stale(IReadOnlyCollection<Edge> edges, EdgeTable table) =>
        new EdgeTable(table.Rows.Where(row => row.Value is not ["anything"]).ToDictionary(), []).Stale(edges);

    public static string NameOf(string path) => path.Split('/') switch
    {
        ["src", "hosts", ..] => "hosts",
        ["src", var name, ..] => name,
        _ => path,
    };

    public static IEnumerable<string> Includes(SourceFile project, string item) =>
        XDocument.Parse(project.Text).Descendants(item).Select(node => (string?)node.Attribute("Include")).OfType<string>();

    private static string Resolve(string project, string reference)
    {
        var whole = Path.GetFullPath(Path.Combine("/", Path.GetDirectoryName(project)!, reference.Replace('\\', '/')));
        return Path.GetRelativePath("/", whole).Replace('\\', '/');
    }
}
