namespace Penstock.Prompts;

/// <summary>What a template is for. Its route gives the template the variables that it can use, and reads the answer.</summary>
/// <param name="Given">Variables the route gives; any other that a template has must have a default. Null where the caller gives them.</param>
/// <param name="Needed">Variables without which the template would not see what it is about.</param>
/// <param name="OwnSchema">Whether a template may say what form the answer has.</param>
internal sealed record UseCase(string Name, IReadOnlyList<string>? Given, IReadOnlyList<string> Needed, bool OwnSchema)
{
    public static readonly UseCase Summarise = new("summarise", ["text", "sentences"], ["text"], false);
    public static readonly UseCase Extract = new("extract", ["text"], ["text"], true);
    public static readonly UseCase Classify = new("classify", ["text", "labels", "which"], ["text", "labels"], false);
    public static readonly UseCase Suggest = new("suggest", ["text", "count"], ["text"], false);
    public static readonly UseCase Chat = new("chat", null, [], true);

    public static readonly IReadOnlyList<UseCase> All = [Summarise, Extract, Classify, Suggest, Chat];

    public static string Names => string.Join(", ", All.Select(useCase => useCase.Name));

    public static UseCase? Find(string name) => All.FirstOrDefault(useCase => useCase.Name == name);
}
