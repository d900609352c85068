using System.Text.Json.Nodes;
using Amazon.CDK;

namespace Penstock.Infra.Tests;

/// <summary>A deployment's templates, as <c>cdk synth</c> writes them.</summary>
internal sealed class Templates
{
    private Templates(IReadOnlyList<Resource> resources) => Resources = resources;

    public IReadOnlyList<Resource> Resources { get; }

    public static Templates Of(params (string Name, string Value)[] context)
    {
        var folder = Directory.CreateTempSubdirectory("penstock-synth-");
        try
        {
            var app = new App(new AppProps { Outdir = folder.FullName });
            Deployment.AddTo(app, DeploySettings.Read(name => context.FirstOrDefault(setting => setting.Name == name).Value));
            app.Synth();
            return new Templates([.. folder.GetFiles("*.template.json").SelectMany(Read)]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    public IEnumerable<Resource> OfType(string type) => Resources.Where(resource => resource.Type == type);

    private static IEnumerable<Resource> Read(FileInfo file) =>
        JsonNode.Parse(File.ReadAllText(file.FullName))![nameof(Resources)]!.AsObject()
            .Where(entry => (string)entry.Value!["Type"]! != "AWS::CDK::Metadata")
            .Select(entry => new Resource(entry.Key, entry.Value!.AsObject()));
}

/// <summary>One resource of a template.</summary>
internal sealed record Resource(string Id, JsonObject Json)
{
    public string Type => (string)Json[nameof(Type)]!;

    public JsonObject Properties => Json[nameof(Properties)]?.AsObject() ?? [];

    /// <summary>Whatever form its type gives them: a list of keys and values, or an object.</summary>
    public IReadOnlyDictionary<string, string> Tags()
    {
        var tags = Properties.FirstOrDefault(property => property.Key is "Tags" or "UserPoolTags" or "ResourceTags").Value;
        return tags switch
        {
            JsonArray list => list.ToDictionary(tag => (string)tag!["Key"]!, tag => (string)tag!["Value"]!),
            JsonObject names => names.ToDictionary(tag => tag.Key, tag => (string)tag.Value!),
            _ => new Dictionary<string, string>(),
        };
    }
}
