using System.Reflection;

namespace Penstock.Prompts;

/// <summary>The templates that come with this build; they answer where a tenant has set no label of its own.</summary>
public sealed class ShippedPrompts
{
    private const string Folder = "prompts/";

    private readonly Dictionary<string, PromptTemplate> _templates = Read().ToDictionary(template => template.Name);

    public IReadOnlyCollection<PromptTemplate> All => _templates.Values;

    public PromptTemplate? Find(string name) => _templates.GetValueOrDefault(name);

    /// <summary>The one of this name where its hash begins so.</summary>
    public PromptTemplate? Find(string name, string hash) => Find(name) is { } template && template.Id.Hash.StartsWith(hash, StringComparison.Ordinal) ? template : null;

    private static IEnumerable<PromptTemplate> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var file in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)))
        {
            using var stream = assembly.GetManifestResourceStream(file)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            var reading = PromptFile.Read(file, bytes);
            yield return reading.Template ?? throw new InvalidOperationException($"A template of this build is broken: {string.Join(' ', reading.Errors)}");
        }
    }
}
