using System.Text.Json;
using Penstock.Gateway.Wire;
using Penstock.Kernel;
using Penstock.Prompts;

namespace Penstock.Gateway.Tasks;

/// <summary>A small job on a text, whichever way it is asked for: what a request for it holds, what it gives the template of its use case, and how its answer reads.</summary>
internal abstract class TextTask
{
    public abstract UseCase UseCase { get; }

    public string Name => UseCase.Name;

    /// <summary>Members of a request, beside <c>text</c>, <c>model</c> and <c>template</c>.</summary>
    public abstract IReadOnlyList<string> Fields { get; }

    /// <summary>Throws 400 that names the field.</summary>
    public abstract TaskAsk Read(JsonView input);

    protected static IReadOnlyDictionary<string, string> Values(params ReadOnlySpan<(string Name, string Value)> values)
    {
        var all = new Dictionary<string, string>(values.Length);
        foreach (var (name, value) in values) all.Add(name, value);
        return all;
    }
}

/// <summary>What one request asks for.</summary>
/// <param name="Values">By the name of the template's variable; those that a template does not use are left out.</param>
/// <param name="Format">The form of the answer, which may be the template's; null for free text. Throws 400 where neither says one.</param>
/// <param name="Read">Reads the whole answer.</param>
internal sealed record TaskAsk(IReadOnlyDictionary<string, string> Values, Func<PromptTemplate, ResponseFormat?> Format, Func<FoldedChoice, TaskResult> Read);

/// <summary>The answer's own members, or why it is no answer to what was asked; one of them is null.</summary>
internal readonly record struct TaskResult(Action<Utf8JsonWriter>? Members, string? Unfit)
{
    public static TaskResult Of(Action<Utf8JsonWriter> members) => new(members, null);

    public static TaskResult No(string why) => new(null, why);
}
