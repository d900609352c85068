using System.Globalization;
using System.Text;

namespace Penstock.Guards;

/// <summary>
/// A tool call's arguments, which are JSON written piece by piece: rules look at the values, through escapes and wherever a piece is cut, and what comes out is JSON still.
/// Names of members are the tool's own words and stay. A number that is a match as a whole becomes a string. Arguments that are no JSON are looked at as text.
/// </summary>
internal sealed class ArgumentsScan(GuardRules rules, GuardTally tally)
{
    private const int LongestNumber = 64;

    private readonly GuardScan _scan = new(rules, tally);
    private readonly StringBuilder _escape = new();
    private readonly StringBuilder _number = new();
    private readonly Stack<bool> _objects = [];
    private State _state = State.Begin;
    private bool _name;

    private enum State
    {
        Begin,
        Between,
        Name,
        Value,
        Number,
        Text,
    }

    public string Piece(ReadOnlySpan<char> text)
    {
        var output = new StringBuilder(text.Length);
        foreach (var c in text) Push(c, output);
        if (_state is State.Value or State.Text) output.Append(_scan.Take(final: false));
        return tally.BlockedBy is null ? output.ToString() : "";
    }

    /// <summary>What still waits; the next piece begins other arguments.</summary>
    public string End()
    {
        var output = new StringBuilder();
        if (_state == State.Number) EndNumber(output);
        foreach (var c in _escape.ToString()) _scan.Push(c, new ReadOnlySpan<char>(in c));
        output.Append(_scan.Take(final: true));
        _escape.Clear();
        _objects.Clear();
        (_state, _name) = (State.Begin, false);
        return tally.BlockedBy is null ? output.ToString() : "";
    }

    private void Push(char c, StringBuilder output)
    {
        switch (_state)
        {
            case State.Begin when !char.IsWhiteSpace(c) && c is not ('{' or '['):
                _state = State.Text;
                _scan.Push(c, new ReadOnlySpan<char>(in c));
                break;
            case State.Text:
                _scan.Push(c, new ReadOnlySpan<char>(in c));
                break;
            case State.Name:
                output.Append(c);
                PassName(c);
                break;
            case State.Value:
                PushValue(c, output);
                break;
            default:
                PushBetween(c, output);
                break;
        }
    }

    private void PushBetween(char c, StringBuilder output)
    {
        if (_state == State.Number)
        {
            if (_number.Length < LongestNumber && (char.IsAsciiDigit(c) || c is '.' or '-' or '+' or 'e' or 'E'))
            {
                _number.Append(c);
                return;
            }

            EndNumber(output);
        }

        if (char.IsAsciiDigit(c))
        {
            _number.Append(c);
            _state = State.Number;
            return;
        }

        output.Append(c);
        if (_state == State.Begin) _state = State.Between;
        Structure(c);
    }

    private void Structure(char c)
    {
        switch (c)
        {
            case '{' or '[':
                _objects.Push(c == '{');
                _name = c == '{';
                break;
            case '}' or ']':
                _objects.TryPop(out _);
                _name = false;
                break;
            case ':':
                _name = false;
                break;
            case ',':
                _name = _objects.TryPeek(out var inObject) && inObject;
                break;
            case '"':
                _state = _name ? State.Name : State.Value;
                break;
        }
    }

    private void PassName(char c)
    {
        if (_escape.Length > 0) _escape.Clear();
        else if (c == '\\') _escape.Append(c);
        else if (c == '"') _state = State.Between;
    }

    private void PushValue(char c, StringBuilder output)
    {
        if (_escape.Length > 0)
        {
            _escape.Append(c);
            if (_escape[1] == 'u' && _escape.Length < 6) return;
            var raw = _escape.ToString();
            _escape.Clear();
            if (Unescape(raw) is { } meant) _scan.Push(meant, raw);
            else foreach (var part in raw) _scan.Push(part, new ReadOnlySpan<char>(in part));
            return;
        }

        if (c == '\\')
        {
            _escape.Append(c);
            return;
        }

        if (c != '"')
        {
            _scan.Push(c, new ReadOnlySpan<char>(in c));
            return;
        }

        output.Append(_scan.Take(final: true)).Append(c);
        _state = State.Between;
    }

    private void EndNumber(StringBuilder output)
    {
        var number = _number.ToString();
        var shown = _scan.Whole(number);
        _number.Clear();
        _state = State.Between;
        if (shown == number) output.Append(number);
        else output.Append('"').Append(shown).Append('"');
    }

    private static char? Unescape(string escape) => escape[1] switch
    {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\b',
        'f' => '\f',
        'u' => ushort.TryParse(escape.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) ? (char)code : null,
        _ => escape[1],
    };
}
