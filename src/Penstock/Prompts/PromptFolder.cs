namespace Penstock.Prompts;

/// <summary>Every template file of a folder.</summary>
public static class PromptFolder
{
    private const int MostFiles = 1000;

    /// <summary>All errors of all files, and the templates of those that have none. Throws <see cref="DirectoryNotFoundException"/>.</summary>
    public static (IReadOnlyList<PromptTemplate> Templates, IReadOnlyList<PromptError> Errors) Read(string folder)
    {
        var files = Directory.GetFiles(folder, "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray();
        if (files.Length > MostFiles) return ([], [new PromptError(folder, 1, $"The folder has {files.Length} files; at most {MostFiles} are read.")]);

        var (templates, errors, names) = (new List<PromptTemplate>(), new List<PromptError>(), new Dictionary<string, string>());
        foreach (var file in files)
        {
            var shown = Path.Combine(folder, Path.GetRelativePath(folder, file));
            var reading = PromptFile.Read(shown, Bytes(file));
            errors.AddRange(reading.Errors);
            if (reading.Name is { Length: > 0 } name && !names.TryAdd(name, shown)) errors.Add(new PromptError(shown, 1, $"'{name}' is the name of the template in {names[name]} too."));
            else if (reading.Template is { } template) templates.Add(template);
        }

        return (templates, errors);
    }

    /// <summary>No more than it takes to see that a file is too large.</summary>
    private static ReadOnlyMemory<byte> Bytes(string file)
    {
        using var stream = File.OpenRead(file);
        var bytes = new byte[PromptFile.LargestBytes + 1];
        return bytes.AsMemory(0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
    }
}
