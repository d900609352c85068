using System.Text.RegularExpressions;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>Names that clients give, and those of states.</summary>
internal static partial class RunNames
{
    /// <summary>Longest name of a conversation, an end user, a signal or a call.</summary>
    public const int Longest = 200;

    private const int MostShown = 40;

    private static readonly string[] Statuses = ["queued", "running", "waiting", "completed", "failed", "cancelled", "dead"];

    public static string Of(RunStatus status) => Statuses[(int)status];

    public static RunStatus Status(JsonView text) => (RunStatus)Array.IndexOf(Statuses, text.OneOf(Statuses));

    public static RunStatus Status(string text, string field) => Array.IndexOf(Statuses, text) is >= 0 and var found
        ? (RunStatus)found
        : throw new RefusedException(Refusal.Invalid(field, $"'{field}' must be one of {string.Join(", ", Statuses)}."));

    /// <summary>Null for what no run is ever called.</summary>
    public static RunId? Id(string text) => Pattern().IsMatch(text) ? new RunId(text) : null;

    /// <summary>One line of 1 to <see cref="Longest"/> characters.</summary>
    public static string Label(JsonView text) => OneLine.Is(text.ShortText(Longest)) ? text.Text() : throw text.Bad("must have no control character");

    public static string Label(string text, string field) => text.Length > 0 && JsonView.CountUpTo(text, Longest) <= Longest && OneLine.Is(text)
        ? text
        : throw new RefusedException(Refusal.Invalid(field, $"'{field}' must have 1 to {Longest} characters, none of them a control character."));

    /// <summary>The name of a tool that a model asks for; in the place of one that no vendor would take back in a history, one that no tool has.</summary>
    public static string OfCall(string name) => ToolName().IsMatch(name) ? name : $"unknown_{Foreign().Replace(name.Length > MostShown ? name[..MostShown] : name, "_")}";

    [GeneratedRegex(@"^[a-zA-Z0-9_-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex ToolName();

    [GeneratedRegex("[^a-zA-Z0-9_-]", RegexOptions.CultureInvariant)]
    private static partial Regex Foreign();

    [GeneratedRegex(@"^run_[0-9a-f]{24}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
