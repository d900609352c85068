using System.Globalization;

namespace Penstock.Tools.Calculator;

/// <summary>
/// Reads an expression and works it out as it goes: <c>+ - * / % ^</c>, brackets, numbers, names and functions. <c>^</c> binds from the right and stronger than a
/// sign before it: <c>-2^2</c> is -4. Nothing is ever run but what stands in <see cref="Functions"/>; the work is bounded by the text's length and depth.
/// </summary>
internal sealed class Expression
{
    private const int Deepest = 100;

    private readonly string _text;
    private readonly IReadOnlyDictionary<string, Figure> _variables;
    private int _at;
    private int _depth;

    private Expression(string text, IReadOnlyDictionary<string, Figure> variables) => (_text, _variables) = (text, variables);

    /// <exception cref="CalculationException">It has no value; the message says where and why.</exception>
    public static Figure Evaluate(string text, IReadOnlyDictionary<string, Figure> variables)
    {
        var expression = new Expression(text, variables);
        var value = expression.Sum();
        return expression.Peek() == '\0' ? value : throw expression.Unexpected();
    }

    private Figure Sum()
    {
        if (++_depth > Deepest) throw new CalculationException("too_deep", $"The expression has more than {Deepest} brackets, signs or powers within one another.", _at);
        var value = Product();
        while (true)
        {
            if (Take('+')) value = value.Add(Product());
            else if (Take('-')) value = value.Subtract(Product());
            else break;
        }

        _depth--;
        return value;
    }

    private Figure Product()
    {
        var value = Signed();
        while (true)
        {
            Peek();
            var at = _at;
            if (Take('*')) value = value.Multiply(Signed());
            else if (Take('/')) value = Placed(at, value.Divide, Signed());
            else if (Take('%')) value = Placed(at, value.Modulo, Signed());
            else return value;
        }
    }

    private Figure Signed()
    {
        if (++_depth > Deepest) throw new CalculationException("too_deep", $"The expression has more than {Deepest} brackets, signs or powers within one another.", _at);
        var value = Take('-') ? Signed().Negate() : Take('+') ? Signed() : Power();
        _depth--;
        return value;
    }

    private Figure Power()
    {
        var value = Single();
        Peek();
        var at = _at;
        return Take('^') ? Placed(at, value.Power, Signed()) : value;
    }

    private Figure Single()
    {
        var next = Peek();
        if (Take('('))
        {
            var value = Sum();
            return Take(')') ? value : throw new CalculationException("unclosed", "A bracket is not closed.", _at);
        }

        if (char.IsAsciiDigit(next) || next == '.') return Number();
        return char.IsAsciiLetter(next) || next == '_' ? Named() : throw Unexpected();
    }

    private Figure Number()
    {
        var start = _at;
        while (char.IsAsciiDigit(Here()) || Here() == '.') _at++;
        if (Here() is 'e' or 'E' && (char.IsAsciiDigit(Here(1)) || (Here(1) is '+' or '-' && char.IsAsciiDigit(Here(2)))))
        {
            _at += 2;
            while (char.IsAsciiDigit(Here())) _at++;
        }

        var text = _text.AsSpan(start, _at - start);
        const NumberStyles Form = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!text.ContainsAny('e', 'E') && text.Length <= 28 && decimal.TryParse(text, Form, CultureInfo.InvariantCulture, out var exact)) return new Figure(exact);
        return double.TryParse(text, Form, CultureInfo.InvariantCulture, out var near)
            ? Placed(start, static number => Figure.Of(number), near)
            : throw new CalculationException("invalid_number", $"'{(text.Length > 40 ? text[..40] : text)}' is not a number.", start);
    }

    private Figure Named()
    {
        var start = _at;
        while (char.IsAsciiLetterOrDigit(Here()) || Here() == '_') _at++;
        var name = _text[start.._at];
        if (Take('('))
        {
            var values = Values();
            return Placed(start, given => Functions.Call(name, given, start), values);
        }

        if (_variables.TryGetValue(name, out var value)) return value;
        return Functions.Constant(name) ?? throw new CalculationException("unknown_name", $"'{(name.Length > 40 ? name[..40] : name)}' is no number. Give its value in 'variables'.", start);
    }

    private List<Figure> Values()
    {
        var values = new List<Figure>();
        if (Take(')')) return values;
        do values.Add(Sum());
        while (Take(','));
        return Take(')') ? values : throw new CalculationException("unclosed", "The bracket of a function is not closed.", _at);
    }

    /// <summary>Says where it went wrong.</summary>
    private static Figure Placed<T>(int at, Func<T, Figure> work, T value)
    {
        try
        {
            return work(value);
        }
        catch (CalculationException e) when (e.Position is null)
        {
            throw new CalculationException(e.Code, e.Message, at);
        }
    }

    private char Here(int ahead = 0) => _at + ahead < _text.Length ? _text[_at + ahead] : '\0';

    /// <summary>The next character that counts, signs as they are typed and as they are typeset.</summary>
    private char Peek()
    {
        while (char.IsWhiteSpace(Here())) _at++;
        return Here() switch
        {
            '×' or '·' => '*',
            '÷' => '/',
            '−' or '–' => '-',
            '*' when Here(1) == '*' => '^',
            '\0' when _at < _text.Length => '?',
            var other => other,
        };
    }

    private bool Take(char sign)
    {
        if (Peek() != sign) return false;
        _at += Here() == '*' && sign == '^' ? 2 : 1;
        return true;
    }

    private CalculationException Unexpected() => _at >= _text.Length
        ? new CalculationException("incomplete", "The expression ends where a number is expected.", _at)
        : new CalculationException("unexpected", $"'{_text[_at]}' is not expected here.", _at);
}
