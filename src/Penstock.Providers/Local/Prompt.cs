using System.Globalization;
using System.Text.RegularExpressions;
using Penstock.Gateway;

namespace Penstock.Providers.Local;

internal enum Ask
{
    /// <summary>Something only a language model can do.</summary>
    Other,
    Summarise,
    Extract,
    Classify,
}

/// <summary>What a conversation asks for: the system text and the last user text, taken apart into instruction and material.</summary>
internal sealed partial class Prompt
{
    private const int UsualSentences = 3;
    private const int MostSentences = 20;
    private const int MostLabels = 200;

    /// <summary>An instruction stands at the head or the foot of what it is about.</summary>
    private const int InstructionReach = 400;
    private const int SystemReach = 20_000;

    private static readonly string[] Numerals = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

    public Prompt(ChatCall call)
    {
        System = string.Join('\n', call.Messages.Where(message => message.Role == ChatRole.System).Select(message => message.Text()));
        User = call.Messages.LastOrDefault(message => message.Role == ChatRole.User)?.Text() ?? "";
        var system = System.Length > SystemReach ? System[..SystemReach] : System;
        // A template says what is wanted, and what the user sends is material whatever it says.
        var templated = call.Template is not null && TaskWords().IsMatch(system);
        Instruction = templated ? system : $"{system}\n{Head(User)}\n{(User.Length > InstructionReach ? User[^InstructionReach..] : "")}";
        var list = LabelWords().Match(Instruction).Groups["list"].Value;
        Labels = LabelsOf(list);
        Ask = AskOf();
        // A schema says what is asked for; what looks like a list of labels may then be part of the text.
        Material = templated || Ask == Ask.Other ? User : WithoutInstruction(call.ResponseFormat?.Schema is null ? WithoutLabels(User, list) : User);
    }

    public string System { get; }

    public string User { get; }

    public Ask Ask { get; }

    /// <summary>Where the wish is looked for.</summary>
    public string Instruction { get; }

    /// <summary>The user's text without the line that says what to do with it; empty where there is nothing else.</summary>
    public string Material { get; }

    /// <summary>The instruction alone: the system text, and the user's text without the material.</summary>
    public string Wish => System + '\n' + (User.EndsWith(Material, StringComparison.Ordinal) ? User[..^Material.Length] : User.StartsWith(Material, StringComparison.Ordinal) ? User[Material.Length..] : "");

    /// <summary>The classes the prompt lists; empty where it lists none.</summary>
    public IReadOnlyList<string> Labels { get; }

    public bool WantsSuggestions => SuggestWords().IsMatch(Instruction);

    /// <summary>How many sentences are asked for.</summary>
    public int SentenceCount
    {
        get
        {
            var match = SentenceWords().Match(Instruction);
            if (!match.Success) return UsualSentences;
            var count = match.Groups[1].Value;
            var numeral = Array.IndexOf(Numerals, count.ToLowerInvariant()) + 1;
            if (numeral == 0) numeral = int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var digits) ? digits : 1;
            return Math.Clamp(numeral, 1, MostSentences);
        }
    }

    private Ask AskOf()
    {
        if (Labels.Count > 1) return Ask.Classify;
        if (SummariseWords().IsMatch(Instruction)) return Ask.Summarise;
        return ExtractWords().IsMatch(Instruction) ? Ask.Extract : Ask.Other;
    }

    private static string Head(string text) => text.Length > InstructionReach ? text[..InstructionReach] : text;

    private static List<string> LabelsOf(string list) => [.. ListSeparator().Split(list)
        .Select(label => label.Trim().Trim('"', '\'', '`', '[', ']', '(', ')', '.', '-', '*', ' '))
        .Where(label => label.Length is > 0 and <= 60 && label.Count(char.IsWhiteSpace) < 5)
        .Distinct()
        .Take(MostLabels)];

    /// <summary>The labels themselves would speak for each of them.</summary>
    private static string WithoutLabels(string user, string list)
    {
        var at = list.Length > 0 ? Head(user).IndexOf(list, StringComparison.Ordinal) : -1;
        return at < 0 ? user : user.Remove(at, list.Length);
    }

    private static string WithoutInstruction(string user)
    {
        var head = Head(user);
        var match = TaskWords().Match(head);
        if (!match.Success)
        {
            // At the foot: the last line, where it says what to do.
            var line = user.TrimEnd().LastIndexOf('\n');
            return line > 0 && user.Length - line <= InstructionReach && TaskWords().IsMatch(user[line..]) ? user[..line].Trim() : user;
        }

        var from = match.Index + match.Length;
        var end = user.AsSpan(from, Math.Min(InstructionReach, user.Length - from)).IndexOfAny(':', '\n');
        if (end < 0) end = SentenceEnd(user, from);
        else end += from;
        return end < 0 ? user[..match.Index].Trim() : user[(end + 1)..].Trim();
    }

    private static int SentenceEnd(string user, int from)
    {
        var reach = Math.Min(InstructionReach, user.Length - from);
        var end = user.AsSpan(from, reach).IndexOfAny('.', '?', '!');
        return end < 0 ? -1 : from + end;
    }

    private const string Summarise = @"\b(?:summar(?:y|i[sz]e\w*|ies)|tl;?dr|condense|shorten|key points|main points|in short|abstract of)";
    private const string Extract = @"\b(?:extract\w*|pull out|find (?:all|the|every)|list (?:all|the|every)|identify (?:all|the|every))";
    private const string Classify = @"\b(?:classif\w+|categori[sz]e\w*|label|sentiment|which (?:category|class|label))";

    [GeneratedRegex(Summarise, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SummariseWords();

    [GeneratedRegex(Extract, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ExtractWords();

    [GeneratedRegex($"{Summarise}|{Extract}|{Classify}", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex TaskWords();

    [GeneratedRegex(@"\b(?:suggest\w*|recommend\w*|ideas?|brainstorm\w*|propos\w+)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SuggestWords();

    [GeneratedRegex(@"\b(one|two|three|four|five|six|seven|eight|nine|ten|a single|[0-9]{1,3})\s+(?:short\s+)?(?:sentences?|bullets?|bullet points?|points?|lines?)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SentenceWords();

    [GeneratedRegex(
        """
        (?: \b(?:labels|categories|classes)\b [^:\n]{0,40} : \s{0,4}
          | \b(?:classif\w{1,10}|categori[sz]e\w{0,4}|label)\b [^:\n]{0,80}? \b(?:into|as|one\ of|either|between)\b (?:[ ](?:one\ of|either|exactly\ one\ of|the\ following)){0,3} [ ]?:?\s{0,4}
          | \bone\ of (?:\ the\ following)? [ ]?:?\s{0,4} )
        (?<list> (?:[-*][ ]?[^\s,:][^\n,:]{0,60}\n){2,50} | [^\n:.;?]{3,2000} )
        """,
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex LabelWords();

    [GeneratedRegex(@"\s*(?:,\s*(?:or|and)\s+|\s+or\s+|\s+and\s+|[,|/\n])\s*", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ListSeparator();
}
