using System.Text.Json;
using Penstock.Kernel;
using Penstock.Prompts;

namespace Penstock.Gateway.Tasks;

/// <summary>Fields of a text as JSON: those the request names, those of its JSON Schema, or those of the template's.</summary>
internal sealed class ExtractTask : TextTask
{
    private const string Member = "data";
    private const int MostFields = 100;
    private const int LongestName = 64;
    private const int LongestDescription = 500;

    public override UseCase UseCase => UseCase.Extract;

    public override IReadOnlyList<string> Fields { get; } = ["fields", "schema"];

    public override TaskAsk Read(JsonView input)
    {
        var text = input.Required("text").NonEmptyText();
        if (input.Optional("schema") is { } twice && input.Optional("fields") is not null) throw twice.Bad("says again what 'fields' says; give one of the two");
        var format = input.Optional("schema") is { } schema ? new ResponseFormat(Member, SchemaOf(schema)) : input.Optional("fields") is { } fields ? new ResponseFormat(Member, SchemaOfFields(fields), Strict: true) : null;
        return new TaskAsk(Values(("text", text)), template => format ?? OfTemplate(template), answer => TaskForm.Read(answer, json => TaskResult.Of(output =>
        {
            output.WritePropertyName(Member);
            json.Element.WriteTo(output);
        })));
    }

    private static ResponseFormat OfTemplate(PromptTemplate template) => template.Schema is { } schema
        ? new ResponseFormat(Member, schema)
        : throw new RefusedException(Refusal.Invalid("fields", $"Name what to extract: 'fields', a list of names or an object of names and descriptions, or 'schema', a JSON Schema. Template '{template.Id}' has no schema of its own."));

    private static string SchemaOf(JsonView schema) =>
        schema.Kind == JsonValueKind.Object && schema.Optional("type") is { Kind: JsonValueKind.String } type && type.Text() == "object"
            ? schema.Raw()
            : throw schema.Bad("must be a JSON Schema whose 'type' is \"object\"");

    /// <summary>Each member is a text, or null where the text does not say it.</summary>
    private static string SchemaOfFields(JsonView fields)
    {
        var named = fields.Kind == JsonValueKind.Array
            ? fields.Items().Select(item => (Name: item.ShortText(LongestName), About: (string?)null)).ToList()
            : fields.Members().Select(member => (member.Name, About: (string?)member.Value.ShortText(LongestDescription))).ToList();
        if (named.Count is 0 or > MostFields) throw fields.Bad($"must name 1 to {MostFields} fields");
        if (named.Exists(field => JsonView.CountUpTo(field.Name, LongestName) is 0 or > LongestName)) throw fields.Bad($"must have names of 1 to {LongestName} characters");
        if (named.DistinctBy(field => field.Name).Count() != named.Count) throw fields.Bad("must not name a field twice");
        return TaskForm.Schema(json =>
        {
            foreach (var (name, about) in named)
            {
                json.WriteStartObject(name);
                TaskForm.WriteArray(json, "type", ["string", "null"]);
                if (about is not null) json.WriteString("description", about);
                json.WriteEndObject();
            }
        }, [.. named.Select(field => field.Name)]);
    }
}
