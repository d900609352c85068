using System.Runtime.CompilerServices;

namespace Penstock.Architecture;

/// <summary>The checked-out files, found from where this source file was compiled or else from where the test runs.</summary>
internal static class Repository
{
    private static readonly string[] Generated = ["bin", "obj", "node_modules", ".git", "data", "artifacts", "TestResults"];

    public static string Root { get; } = Find();

    public static string PathOf(params ReadOnlySpan<string> parts) => Path.Combine([Root, .. parts]);

    public static string Read(string relativePath) => File.ReadAllText(PathOf(relativePath));

    /// <summary>Files below <paramref name="folder"/> that a person wrote, by path relative to the root with forward slashes.</summary>
    public static IReadOnlyList<SourceFile> Files(string folder, params ReadOnlySpan<string> extensions)
    {
        var found = new List<SourceFile>();
        Collect(PathOf(folder), extensions, found);
        return [.. found.OrderBy(file => file.Path, StringComparer.Ordinal)];
    }

    public static IReadOnlyList<string> Folders(string folder)
    {
        var found = new List<string>();
        CollectFolders(PathOf(folder), found);
        return found;
    }

    private static void Collect(string folder, ReadOnlySpan<string> extensions, List<SourceFile> found)
    {
        if (!Directory.Exists(folder)) return;
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            var extension = Path.GetExtension(file);
            if (extensions.Contains(extension)) found.Add(new SourceFile(Relative(file), File.ReadAllText(file)));
        }

        foreach (var child in Children(folder)) Collect(child, extensions, found);
    }

    private static void CollectFolders(string folder, List<string> found)
    {
        foreach (var child in Children(folder))
        {
            found.Add(Relative(child));
            CollectFolders(child, found);
        }
    }

    private static IEnumerable<string> Children(string folder) =>
        Directory.EnumerateDirectories(folder).Where(child => !Generated.Contains(Path.GetFileName(child)));

    private static string Relative(string path) => Path.GetRelativePath(Root, path).Replace('\\', '/');

    private static string Find([CallerFilePath] string compiledFrom = "")
    {
        foreach (var start in new[] { AppContext.BaseDirectory, Path.GetDirectoryName(compiledFrom) })
        {
            for (var folder = start; !string.IsNullOrEmpty(folder); folder = Path.GetDirectoryName(folder))
            {
                if (File.Exists(Path.Combine(folder, "Penstock.slnx"))) return folder;
            }
        }

        throw new InvalidOperationException("Penstock.slnx was found in no folder above the tests; run them from a checkout.");
    }
}

/// <param name="Path">Relative to the repository, with forward slashes.</param>
internal sealed record SourceFile(string Path, string Text);

/// <summary>One breach of a rule: where, and what to do.</summary>
internal sealed record Breach(string Where, string What)
{
    /// <summary>Fails with every breach on a line of its own.</summary>
    public static void None(IEnumerable<Breach> breaches)
    {
        var lines = breaches.Select(breach => breach.ToString()).ToList();
        if (lines.Count > 0) Xunit.Assert.Fail(string.Join('\n', lines));
    }

    public override string ToString() => $"{Where}: {What}";
}
