using System.Security.Cryptography;

namespace Penstock.Agents.Definitions;

/// <summary>
/// The definitions of a folder, as they were when they were last right: a file that cannot be read leaves what it held before. The folder is looked at, and
/// not watched, because change notices do not reach through every mount; by its bytes, because a file that is swapped by a link keeps its time.
/// </summary>
/// <param name="path">Of the folder; one that is not there holds nothing.</param>
/// <param name="others">Names of agents that are there without this folder.</param>
internal sealed class AgentFolder(string path, IReadOnlyCollection<string> others)
{
    public const int MostFiles = 500;

    private const string Absent = "";

    private readonly Dictionary<string, AgentDefinition> _held = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _prompts = new(StringComparer.Ordinal);
    private IReadOnlyList<AgentReading> _readings = [];
    private string _read = "";
    private string? _next;

    public string Path => path;

    public IReadOnlyCollection<AgentDefinition> Definitions => _held.Values;

    /// <summary>Of the last reading.</summary>
    public IReadOnlyList<AgentError> Errors => [.. _readings.SelectMany(reading => reading.Errors)];

    /// <summary>Names of files whose last reading had an error, with what they would be called.</summary>
    public IReadOnlyList<(string File, string? Name)> Refused => [.. _readings.Where(reading => reading.Errors.Count > 0).Select(reading => (reading.File, reading.Name))];

    /// <summary>Reads the folder. Throws where it cannot be read.</summary>
    public void Load()
    {
        var files = Files();
        Read(files);
        (_read, _next) = (Mark(files), null);
    }

    /// <summary>
    /// Reads the folder where it has changed, and has stood still since the last look: who writes a file may take a moment. True where it was read. Throws where
    /// it cannot be.
    /// </summary>
    public bool Look()
    {
        var files = Files();
        var mark = Mark(files);
        if (mark == _read)
        {
            _next = null;
            return false;
        }

        if (mark != _next)
        {
            _next = mark;
            return false;
        }

        Load();
        return true;
    }

    private List<(string File, ReadOnlyMemory<byte> Bytes)> Files()
    {
        if (!Directory.Exists(path)) return [];
        var names = Directory.EnumerateFiles(path).Where(AgentFile.IsDefinition).Take(MostFiles + 1).Order(StringComparer.Ordinal).ToArray();
        if (names.Length > MostFiles) throw new IOException($"The folder '{path}' has more than {MostFiles} definitions.");
        return [.. names.Select(name => (System.IO.Path.GetFileName(name), Bytes(name)!.Value))];
    }

    /// <summary>All that was read, in a few characters.</summary>
    private string Mark(IEnumerable<(string File, ReadOnlyMemory<byte> Bytes)> files)
    {
        var parts = files.Select(file => $"{file.File}\n{Hash(file.Bytes)}").Concat(_prompts.Keys.Order(StringComparer.Ordinal).Select(prompt => $"{prompt}\n{Hash(Prompt(prompt))}"));
        return string.Join('\n', parts);
    }

    private void Read(List<(string File, ReadOnlyMemory<byte> Bytes)> files)
    {
        _prompts.Clear();
        var readings = files.ConvertAll(file => AgentFile.Read(file.File, file.Bytes, prompt =>
        {
            var bytes = Prompt(prompt);
            _prompts[prompt] = Hash(bytes);
            return bytes;
        }));
        foreach (var gone in _held.Keys.Except(files.Select(file => file.File)).ToArray()) _held.Remove(gone);
        Unnamed(readings);
        Unled(readings);
        foreach (var reading in readings)
        {
            if (reading.Definition is { } definition) _held[reading.File] = definition;
        }

        _readings = readings;
    }

    /// <summary>A name belongs to the file that has it; a second file is refused.</summary>
    private void Unnamed(List<AgentReading> readings)
    {
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var reading in readings.OrderBy(reading => Holds(reading) ? 0 : 1))
        {
            // A file that is refused keeps the name it has.
            var name = reading.Definition?.Name ?? _held.GetValueOrDefault(reading.File)?.Name;
            if (name is null || owners.TryAdd(name, reading.File)) continue;
            Refuse(readings, reading, $"'{name}' is the name of the agent in {owners[name]} too. Give one of them another.");
        }
    }

    private bool Holds(AgentReading reading) => _held.TryGetValue(reading.File, out var held) && (reading.Definition is null || reading.Definition.Name == held.Name);

    /// <summary>An agent that hands work to nobody is refused, and so is then who hands work to it.</summary>
    private void Unled(List<AgentReading> readings)
    {
        for (var again = true; again;)
        {
            again = false;
            var known = readings.Select(reading => reading.Definition?.Name ?? _held.GetValueOrDefault(reading.File)?.Name).OfType<string>().Concat(others).ToHashSet(StringComparer.Ordinal);
            foreach (var reading in readings.ToArray())
            {
                if (reading.Definition?.Agents.FirstOrDefault(agent => !known.Contains(agent)) is not { } missing) continue;
                Refuse(readings, reading, $"'agents' names '{missing}', which is no agent here. There are: {string.Join(", ", known.Order(StringComparer.Ordinal))}.");
                again = true;
            }
        }
    }

    private static void Refuse(List<AgentReading> readings, AgentReading reading, string message) =>
        readings[readings.IndexOf(reading)] = reading with { Definition = null, Errors = [.. reading.Errors, new AgentError(reading.File, 0, message)] };

    private ReadOnlyMemory<byte>? Prompt(string prompt) => Bytes(System.IO.Path.Combine(path, prompt));

    /// <summary>No more than it takes to see that a file is too large; null where there is none.</summary>
    private static ReadOnlyMemory<byte>? Bytes(string file)
    {
        if (!File.Exists(file)) return null;
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[Math.Min(stream.Length, AgentFile.LargestBytes) + 1];
        return bytes.AsMemory(0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
    }

    private static string Hash(ReadOnlyMemory<byte>? bytes) => bytes is { } given ? Convert.ToHexStringLower(SHA256.HashData(given.Span)) : Absent;
}
