using System.Reflection;

namespace Penstock.Agents.Definitions;

/// <summary>The definitions that come with this build. An operator's of the same name stands in the place of one.</summary>
internal static class ShippedAgents
{
    private const string Folder = "agents/";

    public static IReadOnlyList<AgentDefinition> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return [.. assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal) && AgentFile.IsDefinition(name)).Order(StringComparer.Ordinal).Select(Definition)];

        AgentDefinition Definition(string file)
        {
            var reading = AgentFile.Read(file, Bytes(file)!.Value, path => Bytes(Folder + path));
            return reading.Definition ?? throw new InvalidOperationException($"A definition of this build is broken: {string.Join(' ', reading.Errors)}");
        }

        ReadOnlyMemory<byte>? Bytes(string name)
        {
            using var stream = assembly.GetManifestResourceStream(name);
            if (stream is null) return null;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
    }
}
