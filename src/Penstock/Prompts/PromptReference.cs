using Penstock.Kernel;

namespace Penstock.Prompts;

/// <summary>How a call names a template: <c>name</c> for its label <c>production</c>, <c>name:label</c>, or <c>name@hash</c> with 8 or more of the hash's digits.</summary>
/// <param name="Label">Null where a hash is given.</param>
public readonly record struct PromptReference(string Name, string? Label, string? Hash)
{
    public const string Production = "production";

    public static PromptReference Of(string name) => new(name, Production, null);

    public static bool TryParse(string text, out PromptReference reference)
    {
        var (colon, at) = (text.IndexOf(':', StringComparison.Ordinal), text.IndexOf('@', StringComparison.Ordinal));
        reference = colon >= 0 ? new PromptReference(text[..colon], text[(colon + 1)..], null)
            : at >= 0 ? new PromptReference(text[..at], null, text[(at + 1)..])
            : Of(text);
        return PromptNames.IsName(reference.Name) && (reference.Label is { } label ? PromptNames.IsLabel(label) : PromptNames.IsHash(reference.Hash!));
    }

    /// <summary>Throws 400 that says how one looks.</summary>
    public static PromptReference Parse(string text, string field) => TryParse(text, out var reference)
        ? reference
        : throw new RefusedException(Refusal.Invalid(field, $"'{field}' must name a template as 'name', 'name:label', or 'name@hash' with 8 or more digits of the hash."));

    public override string ToString() => Label is null ? $"{Name}@{Hash}" : $"{Name}:{Label}";
}
