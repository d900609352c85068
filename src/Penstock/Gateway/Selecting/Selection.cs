using System.Globalization;
using System.Text.RegularExpressions;
using Penstock.Kernel;

namespace Penstock.Gateway.Selecting;

/// <summary>Which tier is to answer, and why.</summary>
/// <param name="Task">What the call was taken for, such as <c>summarise</c>.</param>
/// <param name="Reason">One line for a header and the ledger, of ASCII alone.</param>
internal sealed record Choice(string Tier, string Task, string Reason);

/// <summary>
/// Chooses a tier for a call that leaves it to us. Rules in this order: what the client says the task is; the route; what the call needs; the first words of the
/// instruction; signs of work that a small model does badly. The same call always gets the same tier.
/// </summary>
internal static partial class Selection
{
    public const string TaskHeader = "x-penstock-task";

    private const int CharactersPerToken = 4;
    private const int Opening = 200;
    private const int Looked = 1500;
    private const int LongToolUse = 3;

    /// <summary>Throws 400 for a task that is not known.</summary>
    /// <param name="task">As the client names it; null where it does not.</param>
    public static Choice Choose(ChatCall call, string route, string? task, SelectionOptions options)
    {
        if (task is not null && !options.Tasks.ContainsKey(task)) throw new RefusedException(Refusal.Invalid("task", $"There is no task '{task}'. Known: {string.Join(", ", options.Tasks.Keys)}."));
        var (name, how) = task is not null ? (task, "named by the caller") : OfRoute(route) is { } routed ? (routed, "by its route") : OfPrompt(call);
        var tier = options.Tasks.TryGetValue(name, out var settings) ? settings.Tier : options.Standard;
        if (Asks(call, "reasoning_effort") || Asks(call, "thinking")) return new Choice(options.Reasoning, name, Line(options.Reasoning, name, how, "asks for reasoning"));
        return tier == options.Fast && Unfit(call, options) is { } why ? new Choice(options.Standard, name, Line(options.Standard, name, how, why)) : new Choice(tier, name, Line(tier, name, how, null));
    }

    private static string Line(string tier, string task, string how, string? because) => $"auto > {tier} (task {task} {how}{(because is null ? "" : $"; {because}")})";

    private static string? OfRoute(string route) => route switch
    {
        "/v1/classify" => "classify",
        "/v1/extract" => "extract",
        "/v1/summarise" or "/v1/summarize" => "summarise",
        _ => null,
    };

    private static (string Task, string How) OfPrompt(ChatCall call)
    {
        if (call.Messages.Count(message => message.Role == ChatRole.Tool) >= LongToolUse) return ("agent", "by its many tool results");
        var asked = Last(call, ChatRole.User);
        var instructions = Head(Last(call, ChatRole.System), Looked);
        foreach (var opening in new[] { Head(asked, Opening), Head(instructions, Opening) })
        {
            if (Simple(opening, first: true) is { } task) return (task, "by its first words");
        }

        var text = $"{instructions}\n{Head(asked, Looked)}\n{Tail(asked, Opening)}";
        if (Code().IsMatch(text)) return ("code", "by signs of code");
        if (Maths().IsMatch(text)) return ("maths", "by signs of mathematics");
        if (Steps().IsMatch(text)) return ("reason", "by its steps");
        return Simple($"{instructions}\n{Tail(asked, Opening)}", first: false) is { } simple ? (simple, "by its words") : ("chat", "by nothing that says otherwise");
    }

    private static string? Simple(string text, bool first)
    {
        if (Matches(Summarise(), text, first)) return "summarise";
        if (Matches(Extract(), text, first)) return "extract";
        return Matches(Classify(), text, first) ? "classify" : null;
    }

    /// <param name="first">The word must stand among the first eight or so.</param>
    private static bool Matches(Regex words, string text, bool first) => words.Match(text) is { Success: true } match && (!first || match.Index < 50);

    private static string? Unfit(ChatCall call, SelectionOptions options)
    {
        var tokens = call.Messages.SelectMany(message => message.Parts).Sum(LengthOf) / CharactersPerToken;
        if (tokens > options.FastInputTokens) return string.Create(CultureInfo.InvariantCulture, $"some {tokens} tokens are more than {options.FastInputTokens}");
        if (call.Tools.Count > 0 && !options.FastTools) return "offers tools";
        return !options.FastImages && call.Messages.Any(message => message.Parts.Any(part => part is ImagePart)) ? "has images" : null;
    }

    private static long LengthOf(ChatPart part) => part switch
    {
        TextPart text => text.Text.Length,
        ToolCallPart call => call.Arguments.Length,
        ToolResultPart result => result.Content.Sum(LengthOf),
        _ => 0,
    };

    private static bool Asks(ChatCall call, string field) => call.DialectOnly.Any(path => path == field || path.StartsWith(field + ".", StringComparison.Ordinal));

    private static string Last(ChatCall call, ChatRole role) => call.Messages.LastOrDefault(message => message.Role == role)?.Text() ?? "";

    private static string Head(string text, int most) => text.Length <= most ? text : text[..most];

    private static string Tail(string text, int most) => text.Length <= most ? "" : text[^most..];

    [GeneratedRegex(@"\b(summari[sz]e|summary|tl;?dr|shorten|condense|key points|in (one|two|three) sentences?|zusammenfass\w*|fasse)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Summarise();

    [GeneratedRegex(@"\b(extract|pull out|list (all|every)|find (all|every)|which (names|dates|amounts)|extrahiere)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Extract();

    [GeneratedRegex(@"\b(classif(y|ication)|categori[sz]e|label (this|the)|which (category|label)|sentiment|is (this|it) spam|klassifiziere)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Classify();

    [GeneratedRegex(@"```|\b(refactor|stack ?trace|compile|unit tests?|debug|implement|regex|sql query|python|typescript|javascript|c#|function \w+\(|bug in)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Code();

    [GeneratedRegex(@"\b(prove|theorem|equation|integral|derivative|solve for|probability that|calculate|compute)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Maths();

    [GeneratedRegex(@"\b(step by step|trade-?offs?|reason through|root cause|design (a|an|the)|make a plan|plan (a|an|the|how)|argue)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Steps();
}
