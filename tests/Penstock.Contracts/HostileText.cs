namespace Penstock.Contracts;

/// <summary>Texts that break what quotes, counts bytes for characters, or stops at a NUL.</summary>
public static class HostileText
{
    public static IReadOnlyList<string> All { get; } =
    [
        "",
        "'",
        "'; DROP TABLE keys; --",
        "\" OR \"\"=\"",
        "a\0b",
        "\0",
        "100% _under*score? [set]",
        "$tenant",
        "\\ \r\n\t \u001b[31m",
        "🦀🇩🇪👨‍👩‍👧‍👦",
        "e\u0301 and \u00e9",
        "\u202eright to left",
        "\ufeffmark",
        "İıſK",
        new string('x', 10_240),
        string.Concat(Enumerable.Repeat("😀", 5_000)),
    ];

    /// <summary>Half a surrogate pair: no text at all, and in UTF-8 the same bytes as any other half.</summary>
    public const string Invalid = "half \ud83d";
}
