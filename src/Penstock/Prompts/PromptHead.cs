using System.Globalization;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Prompts;

/// <summary>Reads the fields of a front matter, strictly: what is missing, unknown or out of bounds is told with its line.</summary>
internal sealed class PromptHead(FrontMatterValue front, Action<int, string> fail)
{
    private const int MostVariables = 50;
    private const int UsualLength = 10_000;
    private const int MostLength = 10_000_000;

    private readonly HashSet<string> _known = [];

    public string Text(string name, int longest, Func<string, bool>? fits = null, string? rule = null)
    {
        if (Find(name) is { } value) return TextOf(value, name, longest, fits, rule);
        fail(front.Line, $"'{name}' is missing.");
        return "";
    }

    public UseCase? UseCase()
    {
        var (name, line) = (Text("use-case", 64), Find("use-case")?.Line ?? front.Line);
        var found = Prompts.UseCase.Find(name);
        if (found is null && name.Length > 0) fail(line, $"'use-case' must be one of {Prompts.UseCase.Names}; it is '{name}'.");
        return found;
    }

    public int? Whole(string name, int min, int max) => Find(name) is { } value ? WholeOf(value, name, min, max) : null;

    public string? Schema(UseCase? useCase)
    {
        if (Find("schema") is not { } value) return null;
        if (useCase is { OwnSchema: false }) fail(value.Line, $"The form of the answer is the route's where the use case is '{useCase.Name}'; leave 'schema' out.");
        if (value.Text is not { } text)
        {
            fail(value.Line, "'schema' must be JSON text; begin it with 'schema: |' and indent it.");
            return null;
        }

        try
        {
            var root = JsonView.Parse(Encoding.UTF8.GetBytes(text));
            if (root.Optional("type") is { } type && type.Text() == "object") return root.Raw();
            fail(value.Line, "'schema' must be a JSON Schema whose 'type' is \"object\".");
        }
        catch (RefusedException e)
        {
            fail(value.Line, $"'schema' is no JSON Schema: {e.Refusal.Message}");
        }

        return null;
    }

    public IReadOnlyList<(PromptVariable Variable, int Line)> Variables()
    {
        if (Find("variables") is not { } value) return [];
        if (value.Items is not { } items)
        {
            fail(value.Line, "'variables' must be a list.");
            return [];
        }

        if (items.Count > MostVariables) fail(value.Line, $"A template has at most {MostVariables} variables; this one has {items.Count}.");
        var read = new List<(PromptVariable Variable, int Line)>();
        foreach (var item in items)
        {
            if (item.Members is null) fail(item.Line, "A variable must be written as '- name: …'.");
            else if (Variable(item) is { Name.Length: > 0 } variable) Add(read, variable, item.Line);
        }

        return read;
    }

    /// <summary>To be called last: what nobody asked for is unknown.</summary>
    public void NameUnknown()
    {
        foreach (var (name, value) in front.Members!.Where(member => !_known.Contains(member.Name)))
            fail(value.Line, $"'{name}' is no field of the front matter. Known: {string.Join(", ", _known.Order(StringComparer.Ordinal))}.");
    }

    private void Add(List<(PromptVariable Variable, int Line)> read, PromptVariable variable, int line)
    {
        if (read.Exists(other => other.Variable.Name == variable.Name)) fail(line, $"The variable '{variable.Name}' is declared twice.");
        else read.Add((variable, line));
    }

    private PromptVariable Variable(FrontMatterValue item)
    {
        var own = new PromptHead(item, fail);
        var name = own.Text("name", 64, text => PromptNames.IsVariable(text), "1 to 64 small letters, digits or '_', a letter first");
        var given = own.Find("default");
        var required = own.Flag("required") ?? given is null;
        if (required && given is not null) fail(item.Line, $"The variable '{name}' is required and has a default; it cannot be both.");
        if (!required && given is null) fail(item.Line, $"The variable '{name}' is not required, so it needs a default.");
        var longest = own.Whole("max-length", 1, MostLength) ?? UsualLength;
        var text = given is null ? null : own.TextOf(given, "default", longest, _ => true, null);
        var about = own.Find("description") is { } description ? own.TextOf(description, "description", 1000, null, null) : null;
        own.NameUnknown();
        return new PromptVariable(name, text, longest, about);
    }

    private bool? Flag(string name)
    {
        if (Find(name) is not { } value) return null;
        if (value.Text is "true" or "false") return value.Text == "true";
        fail(value.Line, $"'{name}' must be true or false.");
        return null;
    }

    private FrontMatterValue? Find(string name)
    {
        _known.Add(name);
        return front.Members!.FirstOrDefault(member => member.Name == name).Value;
    }

    private int? WholeOf(FrontMatterValue value, string name, int min, int max)
    {
        if (int.TryParse(value.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max) return number;
        fail(value.Line, string.Create(CultureInfo.InvariantCulture, $"'{name}' must be a whole number from {min} to {max}."));
        return null;
    }

    /// <param name="fits">Null where it must be one line that is not empty.</param>
    private string TextOf(FrontMatterValue value, string name, int longest, Func<string, bool>? fits, string? rule)
    {
        if (value.Text is not { } text) fail(value.Line, $"'{name}' must be text.");
        else if (fits is null && text.Trim().Length == 0) fail(value.Line, $"'{name}' must not be empty.");
        else if (JsonView.CountUpTo(text, longest) > longest) fail(value.Line, string.Create(CultureInfo.InvariantCulture, $"'{name}' must have at most {longest} characters."));
        else if (fits is not null && !fits(text)) fail(value.Line, $"'{name}' must be {rule}.");
        else return fits is null ? text.Trim() : text;
        return "";
    }
}
