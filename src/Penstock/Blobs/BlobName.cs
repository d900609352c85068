using Penstock.Kernel;

namespace Penstock.Blobs;

/// <param name="Value">Parts of <c>a-z A-Z 0-9 _ - .</c>, none empty and none of dots alone, joined by <c>/</c>; 512 bytes at most.</param>
public readonly record struct BlobName(string Value)
{
    public const int Longest = 512;

    /// <summary>Its parts; what every adapter asks first, because a name that leads out of its tenant's place must reach none.</summary>
    /// <exception cref="ArgumentException">It is no name.</exception>
    public IReadOnlyList<string> Parts() => Split(Value, $"'{Value}' is no name of a blob");

    /// <summary>The parts of a folder, which ends in <c>/</c>.</summary>
    /// <exception cref="ArgumentException">It is no folder.</exception>
    public static IReadOnlyList<string> PartsOfFolder(string folder) => folder.EndsWith('/')
        ? Split(folder[..^1], $"'{folder}' is no folder of blobs")
        : throw new ArgumentException($"'{folder}' is no folder of blobs: it must end in '/'.");

    /// <summary>What an adapter answers whose name holds another body.</summary>
    public RefusedException Taken() => new(new Refusal(RefusalKind.Conflict, "blob_taken", $"The blob '{Value}' is there with another body, and none ever changes. Choose another name."));

    public override string ToString() => Value;

    private static string[] Split(string value, string what)
    {
        if (value.Length is 0 or > Longest) throw new ArgumentException($"{what}: it must have 1 to {Longest} characters.");
        var parts = value.Split('/');
        return Array.TrueForAll(parts, IsPart) ? parts : throw new ArgumentException($"{what}: its parts must be of a-z A-Z 0-9 _ - . and not of dots alone.");
    }

    private static bool IsPart(string part) => part.Any(c => c != '.') && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');
}
