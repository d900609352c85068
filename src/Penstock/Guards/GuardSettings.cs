using System.Text.RegularExpressions;
using Penstock.Kernel;

namespace Penstock.Guards;

/// <summary>What one rule does in each direction.</summary>
internal readonly record struct GuardActions(GuardAction In, GuardAction Out)
{
    public GuardActions Stricter(GuardActions other) => new(In > other.In ? In : other.In, Out > other.Out ? Out : other.Out);
}

internal sealed record DenySettings(IReadOnlyList<string> Phrases, GuardActions Actions);

/// <summary>
/// Guard rules as a key or the configuration sets them:
/// <c>{"email": "mask", "card": {"in": "block", "out": "mask"}, "deny": {"projects": {"phrases": ["Project Falcon"], "action": "block"}}}</c>.
/// </summary>
internal sealed partial record GuardSettings
{
    public static readonly GuardSettings None = new();

    private const int MostLists = 20;
    private const int MostPhrases = 1000;
    private const int LongestPhrase = 100;

    private static readonly string[] Personal = ["card", "ssn", "phone", "email"];

    /// <summary>Rules for personal data, by name.</summary>
    public IReadOnlyDictionary<string, GuardActions> Rules { get; init; } = new Dictionary<string, GuardActions>();

    public IReadOnlyDictionary<string, DenySettings> Deny { get; init; } = new Dictionary<string, DenySettings>();

    /// <summary>Throws 400 that names the field.</summary>
    public static GuardSettings Read(JsonView view, params ReadOnlySpan<string> beside)
    {
        view.AllowOnly([.. Personal, "deny", .. beside]);
        var rules = new Dictionary<string, GuardActions>();
        foreach (var name in Personal)
        {
            if (view.Optional(name) is { } actions) rules[name] = ActionsOf(actions);
        }

        return new GuardSettings { Rules = rules, Deny = view.Optional("deny") is { } lists ? ReadLists(lists) : new Dictionary<string, DenySettings>() };
    }

    /// <summary>Both at once: where the two differ, the stricter action holds.</summary>
    public GuardSettings With(GuardSettings other)
    {
        var rules = new Dictionary<string, GuardActions>(Rules);
        foreach (var (name, actions) in other.Rules) rules[name] = rules.GetValueOrDefault(name).Stricter(actions);
        var deny = new Dictionary<string, DenySettings>(Deny);
        foreach (var (name, list) in other.Deny)
            deny[name] = deny.TryGetValue(name, out var mine) ? new DenySettings([.. mine.Phrases, .. list.Phrases], mine.Actions.Stricter(list.Actions)) : list;
        return new GuardSettings { Rules = rules, Deny = deny };
    }

    private static Dictionary<string, DenySettings> ReadLists(JsonView lists)
    {
        var found = new Dictionary<string, DenySettings>();
        foreach (var (name, list) in lists.Members())
        {
            if (!Name().IsMatch(name)) throw list.Bad("must be named by 1 to 40 lower-case letters, digits or '-'");
            list.AllowOnly("phrases", "action");
            var phrases = list.Required("phrases").Items().Select(Phrase).ToArray();
            if (phrases.Length == 0) throw list.Required("phrases").Bad("must hold at least one phrase");
            found[name] = new DenySettings(phrases, list.Optional("action") is { } action ? ActionsOf(action) : new GuardActions(GuardAction.Block, GuardAction.Block));
        }

        if (found.Count > MostLists) throw lists.Bad($"must hold at most {MostLists} lists");
        return found.Values.Sum(list => list.Phrases.Count) <= MostPhrases ? found : throw lists.Bad($"must hold at most {MostPhrases} phrases in all");
    }

    private static string Phrase(JsonView view)
    {
        var phrase = view.ShortText(LongestPhrase);
        return DenyList.Symbols(phrase).Trim().Length > 0 ? phrase : throw view.Bad("has nothing that can be seen");
    }

    private static GuardActions ActionsOf(JsonView view)
    {
        if (view.Kind != System.Text.Json.JsonValueKind.Object)
        {
            var action = ActionOf(view);
            return new GuardActions(action, action);
        }

        view.AllowOnly("in", "out");
        return new GuardActions(view.Optional("in") is { } prompt ? ActionOf(prompt) : GuardAction.Off, view.Optional("out") is { } answer ? ActionOf(answer) : GuardAction.Off);
    }

    private static GuardAction ActionOf(JsonView view) => view.OneOf("mask", "block", "flag", "off") switch
    {
        "mask" => GuardAction.Mask,
        "block" => GuardAction.Block,
        "flag" => GuardAction.Flag,
        _ => GuardAction.Off,
    };

    [GeneratedRegex(@"^[a-z0-9-]{1,40}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
