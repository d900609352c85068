using System.Text.Json;

namespace Penstock.Kernel;

/// <param name="Pointer">JSON pointer (RFC 6901) of the value at fault; empty for the whole.</param>
/// <param name="Message">What is wrong, such as <c>must be a string, not a number</c>.</param>
public readonly record struct SchemaProblem(string Pointer, string Message)
{
    public override string ToString() => $"{(Pointer.Length == 0 ? "The value" : $"'{Pointer}'")} {Message}";
}

/// <summary>
/// A JSON Schema of draft 2020-12, as far as it is used for tools: what it does not know is refused when it is declared and never ignored. Nothing is fetched,
/// patterns take linear time, and a check does a bounded amount of work.
/// </summary>
/// <seealso href="https://json-schema.org/draft/2020-12"/>
public sealed class JsonSchema
{
    private readonly SchemaRules _rules;

    private JsonSchema(JsonElement root, SchemaRules rules) => (Element, _rules) = (root, rules);

    /// <summary>As it was declared.</summary>
    public JsonElement Element { get; }

    /// <summary>Throws 400 that names the member which is not understood, or why the schema is none.</summary>
    public static JsonSchema Declare(JsonView schema)
    {
        if (schema.Raw().Length > SchemaDeclaration.Largest) throw new RefusedException(Refusal.Invalid(schema.Path, $"'{schema.Path}' is a JSON Schema of more than {SchemaDeclaration.Largest} characters."));
        // A copy: it outlives the document it was declared in.
        var root = schema.Element.Clone();
        var rules = new SchemaRules(root);
        new SchemaDeclaration(root, rules).Check(new JsonView(root, schema.Path));
        return new JsonSchema(root, rules);
    }

    /// <summary>A schema of our own.</summary>
    public static JsonSchema Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return Declare(new JsonView(document.RootElement, "schema"));
    }

    /// <summary>The first thing that is wrong; null where nothing is.</summary>
    public SchemaProblem? Check(JsonElement value)
    {
        try
        {
            return _rules.Check(value);
        }
        catch (InvalidOperationException)
        {
            // Reading unescapes, and an escaped half of a surrogate pair is valid JSON but no text.
            return new SchemaProblem("", "holds half of a surrogate pair, which is no text");
        }
    }

    /// <summary>What a reference within a schema leads to (RFC 6901); nothing is ever fetched. Null where there is no schema.</summary>
    public static JsonElement? Follow(JsonElement root, string reference) => SchemaRules.Follow(root, reference);

    public override string ToString() => Element.GetRawText();
}
