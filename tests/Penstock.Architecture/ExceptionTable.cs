namespace Penstock.Architecture;

/// <summary>The exceptions to a measure that CONTRIBUTING.md lists, each with its reason.</summary>
/// <param name="Rows">Rule, what it is allowed to (a file, or a file and a method), reason.</param>
internal sealed record ExceptionTable(IReadOnlyList<(string Rule, string What, string Reason)> Rows)
{
    private const string None = "none";

    public static ExceptionTable Read(string markdown) =>
        new([.. MarkdownTable.Under(markdown, "Exceptions").Where(row => row[0] != None).Select(row => (row[0], row[1].Trim('`'), row[2]))]);

    /// <summary>Breaches that are not listed; then rows that excuse nothing any more, or give no reason.</summary>
    public IEnumerable<Breach> Judge(string rule, IReadOnlyCollection<Breach> found)
    {
        foreach (var breach in found.Where(breach => !Rows.Any(row => row.Rule == rule && row.What == breach.Where))) yield return breach;
        foreach (var (_, what, reason) in Rows.Where(row => row.Rule == rule))
        {
            if (!found.Any(breach => breach.Where == what)) yield return new Breach("CONTRIBUTING.md", $"the exception '{what}' to '{rule}' is needed no more; remove it");
            if (reason.Length < 10) yield return new Breach("CONTRIBUTING.md", $"the exception '{what}' to '{rule}' gives no reason");
        }
    }
}
