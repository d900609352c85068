using Penstock.Kernel;

namespace Penstock.Prompts;

/// <summary>One version of a template: its name, and the SHA-256 of its canonical text in hexadecimal. The same text is the same version everywhere.</summary>
public readonly record struct PromptVersionId(string Name, string Hash)
{
    /// <summary>Hexadecimal digits of a hash that are shown, and the fewest that name a version.</summary>
    public const int ShownDigits = 8;

    /// <summary>As people read it: <c>summarise@3f2a9c01</c>.</summary>
    public override string ToString() => $"{Name}@{Hash[..ShownDigits]}";
}

/// <param name="Default">What stands in its place where a call gives none; null where it is required.</param>
/// <param name="MaxLength">Characters a value may have.</param>
public sealed record PromptVariable(string Name, string? Default, int MaxLength, string? Description);

/// <summary>A template as its file describes it. Immutable: another text is another version.</summary>
public sealed record PromptTemplate
{
    public required PromptVersionId Id { get; init; }

    /// <summary>The whole file: UTF-8, lines ended by one line feed, nothing after the last.</summary>
    public required string Text { get; init; }

    /// <summary>What it is for: <c>summarise</c>, <c>extract</c>, <c>classify</c>, <c>suggest</c> or <c>chat</c>.</summary>
    public required string UseCase { get; init; }

    public required string Owner { get; init; }

    /// <summary>What its author calls this version; says nothing to Penstock, which knows versions by their hash.</summary>
    public required string Version { get; init; }

    public required string Description { get; init; }

    /// <summary>A tier, alias or model for calls that name none.</summary>
    public required string Model { get; init; }

    public required IReadOnlyList<PromptVariable> Variables { get; init; }

    /// <summary>Tokens an answer may have where the call sets no limit; null for none.</summary>
    public int? MaxOutputTokens { get; init; }

    /// <summary>JSON Schema of the answer as JSON text; null for free text, or where the route decides.</summary>
    public string? Schema { get; init; }

    internal PromptBody System { get; init; } = PromptBody.Empty;

    internal PromptBody User { get; init; } = PromptBody.Empty;

    public string Name => Id.Name;

    /// <summary>
    /// The texts with <paramref name="values"/> in their places. A value is data: what looks like a placeholder in it stays as it is.
    /// Throws 400 that names the variable which is missing, unknown or too long.
    /// </summary>
    public RenderedPrompt Render(IReadOnlyDictionary<string, string> values)
    {
        foreach (var name in values.Keys)
        {
            if (!Variables.Any(variable => variable.Name == name)) throw Bad(name, $"is no variable of template '{Id}'. It has {Known()}.");
        }

        var all = Variables.ToDictionary(variable => variable.Name, variable => Value(variable, values));
        return new RenderedPrompt(System.Render(all), User.Render(all));
    }

    private string Value(PromptVariable variable, IReadOnlyDictionary<string, string> values)
    {
        var value = values.GetValueOrDefault(variable.Name) ?? variable.Default ?? throw Bad(variable.Name, $"is required by template '{Id}'.");
        return JsonView.CountUpTo(value, variable.MaxLength) <= variable.MaxLength
            ? value
            : throw Bad(variable.Name, $"is longer than the {variable.MaxLength} characters that template '{Id}' takes.");
    }

    private string Known() => Variables.Count == 0 ? "none" : string.Join(", ", Variables.Select(variable => variable.Name));

    private static RefusedException Bad(string name, string problem) => new(Refusal.Invalid($"variables.{name}", $"'variables.{name}' {problem}"));
}

/// <summary>What a call says; either may be empty.</summary>
public sealed record RenderedPrompt(string System, string User);
