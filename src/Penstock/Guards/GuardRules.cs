namespace Penstock.Guards;

/// <summary>What becomes of a match; a greater value is stricter.</summary>
internal enum GuardAction
{
    Off,

    /// <summary>Counted and named in a header and a metric; the text stays.</summary>
    Flag,

    /// <summary>Replaced by the rule's own word.</summary>
    Mask,

    /// <summary>The prompt is refused, or the answer ends there.</summary>
    Block,
}

/// <param name="Name">Named in errors and in the header: <c>email</c>, or <c>deny.</c> and a list's name.</param>
/// <param name="Label">A metric's label, of few values: an admin makes lists without end.</param>
/// <param name="Replacement">Needs no escape in JSON.</param>
internal sealed record GuardRule(string Name, string Label, GuardAction Action, string Replacement, Find Find);

/// <summary>The rules for one direction, those that come first taking what others would take too.</summary>
internal sealed class GuardRules(IReadOnlyList<GuardRule> rules)
{
    public static readonly GuardRules None = new([]);

    public IReadOnlyList<GuardRule> All { get; } = rules;

    public bool Any => All.Count > 0;

    /// <summary>False where every rule only counts, so that no text has to wait.</summary>
    public bool Change { get; } = rules.Any(rule => rule.Action > GuardAction.Flag);
}

/// <summary>What counts for one caller.</summary>
/// <param name="In">For what goes to a provider.</param>
/// <param name="Out">For what comes back.</param>
/// <param name="OutName">The same for two callers whose answers are treated alike; empty where nothing is done to them.</param>
internal sealed record GuardPlan(GuardRules In, GuardRules Out, string OutName)
{
    public static readonly GuardPlan None = new(GuardRules.None, GuardRules.None, "");

    public bool Any => In.Any || Out.Any;
}
