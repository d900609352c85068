using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Guards;

/// <summary>Finds what counts for a key, and remembers it made ready: configured rules, and the key's own beside them, never in their place.</summary>
internal sealed class GuardPlans(GuardSection section)
{
    private const int MostRemembered = 1000;

    private readonly ConcurrentDictionary<(object Version, string Key, string Own), GuardPlan> _ready = new();

    /// <param name="own">What an admin set for the key; null where nothing is.</param>
    public GuardPlan For(KeyId key, string? own)
    {
        var configured = section.Of(key);
        var name = (section.Version, configured is null ? "" : key.Value, configured is null ? own ?? "" : "");
        if (_ready.TryGetValue(name, out var plan)) return plan;
        plan = Make(configured ?? (own is null ? section.Current : section.Current.With(KeyGuards.Parse(own))));
        if (_ready.Count >= MostRemembered) _ready.Clear();
        return _ready[name] = plan;
    }

    private static GuardPlan Make(GuardSettings settings)
    {
        var plan = new GuardPlan(Rules(settings, actions => actions.In), Rules(settings, actions => actions.Out), NameOf(settings));
        return plan.Any ? plan : GuardPlan.None;
    }

    private static GuardRules Rules(GuardSettings settings, Func<GuardActions, GuardAction> direction)
    {
        var rules = new List<GuardRule>();
        Add("card", "[CARD]", CardNumbers.Find);
        Add("ssn", "[SSN]", SocialSecurityNumbers.Find);
        Add("phone", "[PHONE]", PhoneNumbers.Find);
        Add("email", "[EMAIL]", EmailAddresses.Find);
        foreach (var (name, list) in settings.Deny.Where(list => direction(list.Value.Actions) > GuardAction.Off).OrderByDescending(list => direction(list.Value.Actions)))
            rules.Add(new GuardRule($"deny.{name}", "deny", direction(list.Actions), "[REDACTED]", new DenyList(list.Phrases).Find));
        return rules.Count == 0 ? GuardRules.None : new GuardRules(rules);

        void Add(string name, string replacement, Find find)
        {
            if (direction(settings.Rules.GetValueOrDefault(name)) is > GuardAction.Off and var action) rules.Add(new GuardRule(name, name, action, replacement, find));
        }
    }

    /// <summary>Everything that decides what becomes of an answer, hashed: deny lists may be long and are nobody else's to read.</summary>
    private static string NameOf(GuardSettings settings)
    {
        var text = new StringBuilder();
        foreach (var (name, actions) in settings.Rules.Where(rule => rule.Value.Out > GuardAction.Off).OrderBy(rule => rule.Key, StringComparer.Ordinal)) text.Append(name).Append('=').Append(actions.Out).Append('\n');
        foreach (var (name, list) in settings.Deny.Where(list => list.Value.Actions.Out > GuardAction.Off).OrderBy(list => list.Key, StringComparer.Ordinal))
            text.Append("deny.").Append(name).Append('=').Append(list.Actions.Out).Append('\n').AppendJoin('\n', list.Phrases.Order(StringComparer.Ordinal)).Append('\n');
        return text.Length == 0 ? "" : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, 16));
    }
}
