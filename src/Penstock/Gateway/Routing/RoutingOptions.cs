using Penstock.Configuration;

namespace Penstock.Gateway.Routing;

/// <summary>The section <c>routing</c>: what happens when a target fails.</summary>
internal sealed record RoutingOptions
{
    /// <summary>How often a request waits and begins again with its first target, once all were tried; default 2, 0 for never.</summary>
    public int Retries { get; init; } = 2;

    /// <summary>Calls a target may get again, as a share of those it answered; default 0.1.</summary>
    public double RetryShare { get; init; } = 0.1;

    /// <summary>Wait before the first retry, doubled with each; half of it is left to chance. Default 0.25 s.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(0.25);

    /// <summary>Longest time a request waits because a provider asks it to (<c>Retry-After</c>); default 5 s.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>No retry begins later than this after the first call; default 30 s.</summary>
    public TimeSpan RetryWithin { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>False never keeps a call from a target, whatever became of those before it; default true.</summary>
    public bool Breaker { get; init; } = true;

    /// <summary>Failures in a row at which a target's circuit opens; default 5.</summary>
    public int FailuresToOpen { get; init; } = 5;

    /// <summary>Share of failures among a target's newest 20 calls, none of more than a minute ago, at which its circuit opens too; default 0.5, 1 leaves it to the failures in a row.</summary>
    public double ShareToOpen { get; init; } = 0.5;

    /// <summary>How long an opened circuit lets nothing pass before one call probes it, doubled with each probe that fails; default 10 s.</summary>
    public TimeSpan Open { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The most that it is doubled to; default 120 s.</summary>
    public TimeSpan LongestOpen { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Longest cool-down that a provider may ask for; default 1 h.</summary>
    public TimeSpan LongestCoolDown { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Cool-down of a target whose quota is spent; default 900 s.</summary>
    public TimeSpan QuotaCoolDown { get; init; } = TimeSpan.FromSeconds(900);

    /// <summary>Cool-down of a target that refuses the configured key; default 60 s.</summary>
    public TimeSpan KeyCoolDown { get; init; } = TimeSpan.FromSeconds(60);

    public static RoutingOptions Read(ConfigRead file)
    {
        var options = new RoutingOptions();
        if (file.Section("routing") is not { } section) return options;

        file.Try<object?>(
            () =>
            {
                section.AllowOnly(
                    "retries", "retryBudgetPercent", "backoffSeconds", "longestWaitSeconds", "retryWithinSeconds", "breaker", "failuresToOpen", "failurePercentToOpen", "openSeconds", "longestOpenSeconds",
                    "longestCoolDownSeconds", "quotaCoolDownSeconds", "keyCoolDownSeconds");
                return null;
            },
            null);
        return new RoutingOptions
        {
            Retries = file.Try(() => section.Optional("retries")?.Whole(0, 10), null) ?? options.Retries,
            RetryShare = file.Try(() => section.Optional("retryBudgetPercent")?.Number(0, 100) / 100, null) ?? options.RetryShare,
            Backoff = Seconds("backoffSeconds", 0.001, 60) ?? options.Backoff,
            LongestWait = Seconds("longestWaitSeconds", 0, 600) ?? options.LongestWait,
            RetryWithin = Seconds("retryWithinSeconds", 0, 3600) ?? options.RetryWithin,
            Breaker = file.Try(() => section.Optional("breaker")?.OneOf("on", "off"), null) != "off",
            FailuresToOpen = file.Try(() => section.Optional("failuresToOpen")?.Whole(1, 1000), null) ?? options.FailuresToOpen,
            ShareToOpen = file.Try(() => section.Optional("failurePercentToOpen")?.Number(1, 100) / 100, null) ?? options.ShareToOpen,
            Open = Seconds("openSeconds", 0.01, 3600) ?? options.Open,
            LongestOpen = Seconds("longestOpenSeconds", 0.01, 86_400) ?? options.LongestOpen,
            LongestCoolDown = Seconds("longestCoolDownSeconds", 0, 86_400) ?? options.LongestCoolDown,
            QuotaCoolDown = Seconds("quotaCoolDownSeconds", 0, 86_400) ?? options.QuotaCoolDown,
            KeyCoolDown = Seconds("keyCoolDownSeconds", 0, 86_400) ?? options.KeyCoolDown,
        };

        TimeSpan? Seconds(string name, double least, double most) => file.Try(() => section.Optional(name) is { } value ? TimeSpan.FromSeconds(value.Number(least, most)) : (TimeSpan?)null, null);
    }
}
