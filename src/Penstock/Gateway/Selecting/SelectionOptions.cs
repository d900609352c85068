namespace Penstock.Gateway.Selecting;

/// <summary>The section <c>selection</c>: which tier each task gets, and what a small model is not given.</summary>
internal sealed record SelectionOptions
{
    /// <summary>Names of models that leave the choice to us; default <c>auto</c> alone. An alias or tier of the same name goes before it.</summary>
    public IReadOnlyList<string> Names { get; init; } = ["auto"];

    public string Fast { get; init; } = "fast";

    public string Standard { get; init; } = "standard";

    public string Reasoning { get; init; } = "reasoning";

    /// <summary>Most input, in tokens of four characters, that the fast tier is given; default 100,000.</summary>
    public int FastInputTokens { get; init; } = 100_000;

    /// <summary>Whether the fast tier is given calls that offer tools; default false.</summary>
    public bool FastTools { get; init; }

    /// <summary>Whether the fast tier is given pictures; default true.</summary>
    public bool FastImages { get; init; } = true;

    public IReadOnlyDictionary<string, TaskSettings> Tasks { get; init; } = Shipped;

    public static readonly IReadOnlyDictionary<string, TaskSettings> Shipped = new Dictionary<string, TaskSettings>
    {
        ["summarise"] = new("fast", new CheckSettings { LeastWords = 3, Overlap = 0.3 }),
        ["extract"] = new("fast", new CheckSettings { LeastWords = 1 }),
        ["classify"] = new("fast", new CheckSettings { LeastWords = 1, MostWords = 60 }),
        ["chat"] = new("standard", null),
        ["code"] = new("standard", null),
        ["maths"] = new("standard", null),
        ["reason"] = new("standard", null),
        ["agent"] = new("standard", null),
    };
}

/// <param name="Check">What an answer of another tier than standard must stand; null for nothing.</param>
internal sealed record TaskSettings(string Tier, CheckSettings? Check);

/// <summary>What makes an answer good enough. That it has the form asked for, is not cut off and does not decline is always asked.</summary>
internal sealed record CheckSettings
{
    public int LeastWords { get; init; } = 1;

    /// <summary>Null for no bound.</summary>
    public int? MostWords { get; init; }

    /// <summary>The share of an answer's words, of four letters and more, that the prompt has too; 0 to 1.</summary>
    public double Overlap { get; init; }
}
