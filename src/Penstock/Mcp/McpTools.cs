using System.Reflection;
using Penstock.Gateway.Tasks;

namespace Penstock.Mcp;

/// <summary>The tools, and how each is described to a client.</summary>
internal sealed class McpTools
{
    private readonly Dictionary<string, TextTask> _tasks = new TextTask[] { new ClassifyTask(), new ExtractTask(), new SummariseTask() }.ToDictionary(task => task.Name);

    /// <summary>A JSON array of tool definitions, always in the same order.</summary>
    public string Definitions { get; } = Read();

    public IReadOnlyCollection<string> Names => _tasks.Keys;

    public TextTask? Find(string? name) => name is null ? null : _tasks.GetValueOrDefault(name);

    private static string Read()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("mcp-tools.json")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
