using System.Runtime.InteropServices;
using System.Text;

namespace Penstock.Guards;

/// <summary>
/// Takes a text piece by piece and gives it back with the rules applied, holding back no more than could still become a match. However a text is cut, what comes out
/// in all is the same.
/// <code>
/// pushed characters ──fold──▶ symbols ──rules at each place──▶ none: goes out · found: replaced · undecided: waits with all after it
/// </code>
/// </summary>
internal sealed class GuardScan(GuardRules rules, GuardTally tally)
{
    /// <summary>Text that is read at once; more is read in slices, so that little is held whatever comes.</summary>
    private const int Slice = 4096;

    private const char Nothing = '\n';
    private const char Half = '\uE000';

    private readonly List<char> _raw = [];
    private readonly List<char> _symbols = [];
    private readonly List<int> _starts = [];
    private char _before = Nothing;
    private char _previous = Nothing;
    private char _high;
    private int _highStart;

    /// <summary>The whole of a text.</summary>
    public string Whole(ReadOnlySpan<char> text)
    {
        var output = new StringBuilder(text.Length);
        for (var rest = text; !rest.IsEmpty; rest = rest[Math.Min(Slice, rest.Length)..])
        {
            foreach (var c in rest[..Math.Min(Slice, rest.Length)]) Push(c, new ReadOnlySpan<char>(in c));
            output.Append(Take(final: false));
        }

        return output.Append(Take(final: true)).ToString();
    }

    /// <summary>A piece of a text; what is given back may be shorter or longer.</summary>
    public string Piece(ReadOnlySpan<char> text)
    {
        foreach (var c in text) Push(c, new ReadOnlySpan<char>(in c));
        return Take(final: false);
    }

    /// <param name="raw">How the character is written, such as an escape of JSON's.</param>
    public void Push(char c, ReadOnlySpan<char> raw)
    {
        if (tally.BlockedBy is not null) return;
        var start = _raw.Count;
        _raw.AddRange(raw);
        if (_high != 0 && char.IsLowSurrogate(c))
        {
            Add(Fold.Of(_high, c), _highStart);
            _high = '\0';
            return;
        }

        if (_high != 0) AddHalf();
        if (char.IsHighSurrogate(c)) (_high, _highStart) = (c, start);
        else Add(Fold.Of(c), start);
    }

    /// <summary>What may go out by now. After <paramref name="final"/> another text begins.</summary>
    public string Take(bool final)
    {
        if (final && _high != 0) AddHalf();
        var output = new StringBuilder(_raw.Count);
        var symbols = CollectionsMarshal.AsSpan(_symbols);
        var (at, from) = (0, 0);
        while (at < symbols.Length && tally.BlockedBy is null)
        {
            var (length, rule) = Look(new Window(symbols[at..], _before, _previous, final));
            if (length == Finding.Wait) break;
            if (rule is not null)
            {
                tally.Add(rule);
                Copy(output, from, _starts[at]);
                from = at + length < symbols.Length ? _starts[at + length] : _raw.Count;
                if (rule.Action == GuardAction.Mask) output.Append(rule.Replacement);
                else if (rule.Action == GuardAction.Flag) Copy(output, _starts[at], from);
            }

            Step(symbols, at, Math.Max(length, 1));
            // What comes next stands behind what is shown, and not behind what was.
            if (rule is { Action: GuardAction.Mask }) (_before, _previous) = (rule.Replacement[^2], rule.Replacement[^1]);
            at += Math.Max(length, 1);
        }

        if (tally.BlockedBy is not null) return Drop(output);
        var until = at < symbols.Length ? _starts[at] : _high != 0 ? _highStart : _raw.Count;
        Copy(output, from, until);
        Forget(at, until);
        if (final) (_before, _previous) = (Nothing, Nothing);
        return output.ToString();
    }

    private (int Length, GuardRule? Rule) Look(in Window window)
    {
        foreach (var rule in rules.All)
        {
            var length = rule.Find(window);
            if (length == Finding.None) continue;
            // What follows a match, such as marks that nobody sees, is known only with the next symbol.
            return length == Finding.Wait || (!window.Final && length == window.Symbols.Length) ? (Finding.Wait, null) : (length, rule);
        }

        return (Finding.None, null);
    }

    private void Step(ReadOnlySpan<char> symbols, int at, int count)
    {
        _before = count > 1 ? symbols[at + count - 2] : _previous;
        _previous = symbols[at + count - 1];
    }

    private void Copy(StringBuilder output, int from, int until)
    {
        if (until > from) output.Append(CollectionsMarshal.AsSpan(_raw)[from..until]);
    }

    private void Add(char symbol, int start)
    {
        if (symbol == Fold.Invisible) return;
        _symbols.Add(symbol);
        _starts.Add(start);
    }

    private void AddHalf()
    {
        _symbols.Add(Half);
        _starts.Add(_highStart);
        _high = '\0';
    }

    private void Forget(int symbols, int raw)
    {
        _symbols.RemoveRange(0, symbols);
        _starts.RemoveRange(0, symbols);
        _raw.RemoveRange(0, raw);
        for (var i = 0; i < _starts.Count; i++) _starts[i] -= raw;
        _highStart -= raw;
    }

    private string Drop(StringBuilder output)
    {
        Forget(_symbols.Count, _raw.Count);
        _high = '\0';
        return output.ToString();
    }
}
