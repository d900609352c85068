using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents.Definitions;

/// <summary>Makes a definition of the members of a file, or of one that is pinned, and finds every error at once.</summary>
/// <param name="fail">Told the path of what is wrong, and what is wrong.</param>
/// <param name="prompt">The text of the file that <c>prompt</c> names; throws 400 where there is none.</param>
/// <param name="pinned">Written by us, and perhaps by a newer build: a member that is not known here is passed over.</param>
internal sealed partial class AgentReader(JsonView root, Action<string, string> fail, Func<JsonView, string> prompt, bool pinned)
{
    public const string NameRule = "1 to 64 small letters, digits or '-', a letter first";

    private const int LongestDescription = 1_000;
    private const int LongestInstructions = 100_000;
    private const int LongestModel = 256;
    private const int MostFallbacks = 8;
    private const int MostTools = 128;
    private const int MostAgents = 32;
    private const decimal MostUsd = 10_000;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    /// <summary>Null where the file does not say it, or not so that it could be one.</summary>
    public string? Name { get; } = root.Optional("name") is { Kind: JsonValueKind.String } name && NameForm().IsMatch(name.Text()) ? name.Text() : null;

    /// <summary>Without its text and hash. To be used only where nothing failed.</summary>
    public AgentDefinition Read()
    {
        Only(root, "apiVersion", "kind", "name", "version", "description", "model", "instructions", "prompt", "inputSchema", "outputSchema", "tools", "agents", "limits", "approvals", "context", "cites");
        Try(() => Needed(root, "apiVersion", "v1").OneOf("v1"), "");
        Try(() => Needed(root, "kind", "Agent").OneOf("Agent"), "");
        var limits = Limits();
        return new AgentDefinition
        {
            Name = Try(() => Named(Needed(root, "name", $"{NameRule}")), ""),
            Version = Try(() => Version(Needed(root, "version", "such as 1.4.0")), ""),
            Description = Try(() => Needed(root, "description", "a sentence that says what the agent does").ShortText(LongestDescription), ""),
            Model = Try(() => Model(), ""),
            Fallbacks = Try(() => Fallbacks(), []),
            Instructions = Try(() => Instructions(), ""),
            Input = Try(() => root.Optional("inputSchema") is { } schema ? JsonSchema.Declare(schema) : null, null),
            Output = Try(() => root.Optional("outputSchema") is { } schema ? Output(schema) : null, null),
            Tools = Distinct(Each("tools", MostTools, Tool), tool => tool.Name, "tools"),
            Agents = Distinct(Each("agents", MostAgents, Named), name => name, "agents"),
            Limits = limits,
            Approvals = Distinct(Each("approvals", MostTools, Approval), rule => rule.Tool, "approvals"),
            Context = Context(),
            Cites = Try(() => root.Optional("cites")?.Flag() ?? false, false),
            Text = "",
            Hash = "",
        };
    }

    private static string Named(JsonView view) => NameForm().IsMatch(view.Text()) ? view.Text() : throw view.Bad($"must have {NameRule}");

    private static string Version(JsonView view) => view.Kind == JsonValueKind.Number
        ? throw view.Bad("must be a text, so that 1.10 is not 1.1: put it in quotes")
        : Line(view, 64);

    private string Model()
    {
        var model = Needed(root, "model", "a model, an alias or a tier such as standard");
        if (model.Kind != JsonValueKind.Object) return Line(model, LongestModel);
        Only(model, "alias", "fallbacks");
        return Line(Needed(model, "alias", "a model, an alias or a tier such as standard"), LongestModel);
    }

    private string[] Fallbacks()
    {
        if (root.Optional("model") is not { Kind: JsonValueKind.Object } model || model.Optional("fallbacks") is not { } fallbacks) return [];
        return fallbacks.Count <= MostFallbacks ? [.. fallbacks.Items().Select(item => Line(item, LongestModel))] : throw fallbacks.Bad($"must have at most {MostFallbacks} entries");
    }

    private string Instructions()
    {
        var (inline, file) = (root.Optional("instructions"), root.Optional("prompt"));
        if (inline is null == file is null)
            throw new RefusedException(Refusal.Invalid("instructions", "Either 'instructions' (the system prompt itself) or 'prompt' (the file that holds it) is required, and not both."));
        if (file is { } named) Only(named, "file", "sha256");
        var text = inline is { } given ? given.Text() : prompt(file!.Value);
        if (text.Length > LongestInstructions) throw (inline ?? file!.Value).Bad(string.Create(CultureInfo.InvariantCulture, $"must have at most {LongestInstructions} characters"));
        return pinned ? text : text.ReplaceLineEndings("\n").Trim() is { Length: > 0 } trimmed ? trimmed : throw (inline ?? file!.Value).Bad("must not be empty");
    }

    private static JsonSchema Output(JsonView schema)
    {
        if (schema.Optional("type") is not { Kind: JsonValueKind.String } type || type.Text() != "object") throw schema.Bad("must be a JSON Schema whose 'type' is \"object\", because vendors answer in no other form");
        return JsonSchema.Declare(schema);
    }

    private AgentTool Tool(JsonView view)
    {
        if (view.Kind == JsonValueKind.String) return new AgentTool(Pattern(view));
        Only(view, "name", "effect", "timeout", "maxConcurrency", "retries");
        return new AgentTool(
            Pattern(Needed(view, "name", "a tool's name, or the beginning of names and '*'")),
            view.Optional("effect") is { } effect ? ToolNames.ReadEffect(effect) : null,
            view.Optional("timeout") is { } timeout ? Durations.Read(timeout, Second / 10, TimeSpan.FromHours(1)) : null,
            view.Optional("maxConcurrency")?.Whole(1, 100_000),
            view.Optional("retries")?.Whole(0, 10) ?? 2);
    }

    private ApprovalRule Approval(JsonView view)
    {
        Only(view, "tool", "expires", "onExpire");
        return new ApprovalRule(
            Pattern(Needed(view, "tool", "a tool's name, or the beginning of names and '*'")),
            Durations.Read(Needed(view, "expires", "how long a person has, such as 24h"), Second, Month),
            view.Optional("onExpire")?.OneOf("reject", "approve") == "approve");
    }

    private AgentLimits Limits()
    {
        var none = new AgentLimits { Usd = default, Steps = 1, Wall = Second, ToolCalls = 1 };
        if (Try(() => (JsonView?)Needed(root, "limits", "where a run ends, such as {usd: 0.50, steps: 30, wall: 20m}"), null) is not { } view) return none;
        if (!Only(view, "usd", "steps", "wall", "parallelTools", "toolCalls", "children", "depth", "outputTokens")) return none;
        var steps = Try(() => Needed(view, "steps", "the most model calls of a run, such as 30").Whole(1, 100_000), 1);
        return new AgentLimits
        {
            Usd = Try(() => Usd(Needed(view, "usd", "the most a run may spend, such as 0.50")), default),
            Steps = steps,
            Wall = Try(() => Durations.Read(Needed(view, "wall", "the longest a run may take, such as 20m"), Second, Month), Second),
            ParallelTools = Try(() => view.Optional("parallelTools")?.Whole(1, 1_000) ?? 20, 1),
            ToolCalls = Try(() => view.Optional("toolCalls")?.Whole(0, 1_000_000) ?? steps * 10, 1),
            Children = Try(() => view.Optional("children")?.Whole(0, 1_000) ?? 5, 1),
            Depth = Try(() => view.Optional("depth")?.Whole(0, 5) ?? 1, 1),
            OutputTokens = Try(() => view.Optional("outputTokens")?.Whole(1, 1_000_000), null),
        };
    }

    private static Money Usd(JsonView view) => view.Decimal(0, MostUsd) is > 0 and var usd ? Money.FromUsd(usd) : throw view.Bad("must be more than 0");

    private AgentContext Context()
    {
        var usual = new AgentContext();
        if (root.Optional("context") is not { } view || !Only(view, "maxTokens", "threadMessages", "facts")) return usual;
        return new AgentContext
        {
            MaxTokens = Try(() => view.Optional("maxTokens")?.Whole(1_000, 10_000_000) ?? usual.MaxTokens, 0),
            ThreadMessages = Try(() => view.Optional("threadMessages")?.Whole(0, 1_000) ?? usual.ThreadMessages, 0),
            Facts = Try(() => view.Optional("facts")?.Whole(0, 1_000) ?? usual.Facts, 0),
        };
    }

    private List<T> Each<T>(string name, int most, Func<JsonView, T> read)
        where T : class
    {
        var found = new List<T>();
        if (root.Optional(name) is not { } list) return found;
        var items = Try(() => list.Count <= most ? list.Items().ToArray() : throw list.Bad(string.Create(CultureInfo.InvariantCulture, $"must have at most {most} entries")), []);
        foreach (var item in items)
        {
            if (Try(() => read(item), null) is { } one) found.Add(one);
        }

        return found;
    }

    private List<T> Distinct<T>(List<T> found, Func<T, string> nameOf, string path)
    {
        foreach (var twice in found.GroupBy(nameOf).Where(same => same.Skip(1).Any())) fail(path, $"'{path}' names '{twice.Key}' more than once. Name it once.");
        return found;
    }

    private static string Pattern(JsonView view) => PatternForm().IsMatch(view.Text())
        ? view.Text()
        : throw view.Bad("must be a tool's name (letters, digits, '_', '-', '.'), or the beginning of names and '*'");

    private static string Line(JsonView view, int longest) => view.ShortText(longest) is var text && Http.OneLine.Is(text) ? text : throw view.Bad("must be one line without control characters");

    private static JsonView Needed(JsonView view, string name, string what)
    {
        if (view.Kind != JsonValueKind.Object) throw view.Bad("must hold named members");
        var path = view.Path.Length == 0 ? name : $"{view.Path}.{name}";
        return view.Optional(name) ?? throw new RefusedException(Refusal.Invalid(path, $"'{path}' is required: {what}."));
    }

    /// <summary>Tells of every member that is not known; false where there are none to read.</summary>
    private bool Only(JsonView view, params string[] known)
    {
        if (view.Kind != JsonValueKind.Object)
        {
            fail(view.Path, view.Bad("must hold named members").Refusal.Message);
            return false;
        }

        foreach (var (name, value) in Try(() => view.Members().ToArray(), []))
        {
            if (!pinned && !known.Contains(name)) fail(value.Path, $"'{value.Path}' is no member here. Known: {string.Join(", ", known)}.");
        }

        return true;
    }

    private T Try<T>(Func<T> read, T otherwise)
    {
        try
        {
            return read();
        }
        catch (RefusedException e)
        {
            fail(e.Refusal.Field ?? "", e.Refusal.Message);
            return otherwise;
        }
    }

    [GeneratedRegex(@"^[a-z][a-z0-9-]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex NameForm();

    [GeneratedRegex(@"^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\*?|\*)\z", RegexOptions.CultureInvariant)]
    private static partial Regex PatternForm();
}
