using Penstock.Agents.Definitions;

namespace Penstock.Agents;

/// <summary>What is to be said of one definition's file.</summary>
/// <param name="Agent">Name, version and the first digits of the hash; null where the file has errors.</param>
public sealed record AgentCheck(string File, string? Agent, IReadOnlyList<string> Errors)
{
    private const int ShownDigits = 12;

    /// <summary>Reads definitions as a server would. A path is a file or a folder of them; agents that they hand work to are looked for among all of these and those that come with this build.</summary>
    public static IReadOnlyList<AgentCheck> Of(IEnumerable<string> paths)
    {
        var readings = paths.SelectMany(Read).ToList();
        var known = ShippedAgents.Read().Concat(readings.Select(reading => reading.Reading?.Definition).OfType<AgentDefinition>()).Select(definition => definition.Name).ToHashSet(StringComparer.Ordinal);
        return [.. readings.Select(reading => Of(reading.Path, reading.Reading, known, readings.FindAll(other => other.Reading?.Name is { } name && name == reading.Reading?.Name)))];
    }

    private static AgentCheck Of(string path, AgentReading? reading, HashSet<string> known, List<(string Path, AgentReading? Reading)> same)
    {
        if (reading is null) return new AgentCheck(path, null, [$"{path}: There is no such file, or it cannot be read."]);
        var errors = reading.Errors.Select(error => error.ToString()).ToList();
        errors.AddRange((reading.Definition?.Agents ?? []).Where(agent => !known.Contains(agent)).Select(agent => $"{path}: 'agents' names '{agent}', which is no agent here. There are: {string.Join(", ", known.Order(StringComparer.Ordinal))}."));
        if (same.Find(other => other.Path != path).Path is { } twin) errors.Add($"{path}: '{reading.Name}' is the name of the agent in {twin} too. Give one of them another.");
        return new AgentCheck(path, errors.Count == 0 && reading.Definition is { } definition ? $"{definition.Name} {definition.Version} {definition.Hash[..ShownDigits]}" : null, errors);
    }

    private static IEnumerable<(string Path, AgentReading? Reading)> Read(string path) => Directory.Exists(path)
        ? Directory.EnumerateFiles(path).Where(AgentFile.IsDefinition).Order(StringComparer.Ordinal).Select(file => (file, ReadFile(file)))
        : [(path, ReadFile(path))];

    private static AgentReading? ReadFile(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        return Bytes(path) is { } bytes ? AgentFile.Read(path, bytes, prompt => Bytes(Path.Combine(folder, prompt))) : null;
    }

    private static ReadOnlyMemory<byte>? Bytes(string path)
    {
        try
        {
            return System.IO.File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
