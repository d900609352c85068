using Penstock.Kernel;

namespace Penstock.Gateway.Routing;

/// <summary>How the first target of a name is chosen among those it may have.</summary>
internal enum Strategy
{
    /// <summary>As they are listed.</summary>
    Order,

    /// <summary>By chance, in proportion to their weights; those without a weight come after, as they are listed.</summary>
    Weighted,

    /// <summary>The one whose first byte came fastest of late; now and then another, so that what is known of it does not grow old.</summary>
    Latency,
}

/// <summary>Where a call may go, in the order in which that is tried; at least one.</summary>
/// <param name="Decision">Why the first is first, where it was not simply listed first.</param>
internal sealed record Plan(IReadOnlyList<Target> Targets, string? Decision = null)
{
    /// <summary>How often a target is asked that is not the fastest.</summary>
    private const double Exploration = 0.05;

    public Target First => Targets[0];

    public static Plan Of(Strategy strategy, IReadOnlyList<Target> targets, Chance chance) => targets.Count == 1
        ? new Plan(targets)
        : strategy switch
        {
            Strategy.Weighted => Weighted(targets, chance),
            Strategy.Latency => Fastest(targets, chance),
            _ => new Plan(targets),
        };

    /// <summary>Without the first targets that the call cannot cross to. Where it can cross to none, throws what the first of all objects to.</summary>
    public Plan For(Func<Target, Refusal?> objects)
    {
        Refusal? first = null;
        for (var i = 0; i < Targets.Count; i++)
        {
            var before = Targets.Take(i).ToArray();
            if (!before.All(target => target.MayGiveWayTo(Targets[i]))) continue;
            if (objects(Targets[i]) is not { } objection)
                return i == 0 ? this : new Plan([.. Targets.Skip(i).Where(rest => before.All(target => target.MayGiveWayTo(rest)))], Fallback(Targets[0], Targets[i], first!.Code));
            first ??= objection;
        }

        throw new RefusedException(first!);
    }

    /// <summary>With the targets of <paramref name="other"/>, a tier's, behind its own: they answer where none of its own does.</summary>
    public Plan Then(Plan other, string tier) => this with { Targets = [.. Targets, .. other.Targets.Where(target => !Targets.Any(own => own.Name == target.Name)).Select(target => target with { Instead = tier })] };

    /// <summary>Says that <paramref name="target"/> answers because <paramref name="first"/> does not.</summary>
    public static string Fallback(Target first, Target target, string why) => $"fallback from {first.Name}: {why}{Standing(target)}";

    /// <summary>Such as <c> > standard</c>, for a target of a tier that stands in for the chosen one.</summary>
    public static string Standing(Target target) => target.Instead is { } tier ? $" > {tier}" : "";

    private static Plan Weighted(IReadOnlyList<Target> targets, Chance chance)
    {
        var group = targets.Where(target => target.Weight is not null).ToArray();
        if (group.Length == 0) return new Plan(targets);
        var ready = group.Where(target => target.Health.Ready).ToArray();
        var among = ready.Length > 0 ? ready : group;
        var at = chance.Next() * among.Sum(target => (double)target.Weight!.Value);
        var chosen = among.FirstOrDefault(target => (at -= target.Weight!.Value) < 0) ?? among[^1];
        return new Plan([chosen, .. group.Where(target => target != chosen), .. targets.Where(target => target.Weight is null)], "weighted");
    }

    private static Plan Fastest(IReadOnlyList<Target> targets, Chance chance)
    {
        // One that was never measured is measured first.
        var ranked = targets.OrderBy(target => !target.Health.Ready).ThenBy(target => target.Health.FirstByte ?? TimeSpan.Zero).ToList();
        var ready = ranked.Count(target => target.Health.Ready);
        if (ready < 2 || chance.Next() >= Exploration) return new Plan(ranked, "latency");
        var explored = ranked[1 + (int)(chance.Next() * (ready - 1))];
        return new Plan([explored, .. ranked.Where(target => target != explored)], "latency: explored");
    }
}
