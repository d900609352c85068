using System.Globalization;

namespace Penstock.Tools.Calculator;

/// <summary>
/// A number: a decimal of 28 digits while it fits one, else a double of 15 digits. <see cref="Exact"/> says that nothing was rounded on the way.
/// </summary>
internal readonly record struct Figure
{
    private const int MostExactPower = 1_024;

    private readonly decimal _decimal;
    private readonly double? _double;

    public Figure(decimal value, bool exact = true) => (_decimal, Exact) = (value, exact);

    private Figure(double value) => _double = value;

    public bool Exact { get; }

    public double Double => _double ?? (double)_decimal;

    /// <summary>Null where it does not fit one.</summary>
    public decimal? Decimal => _double is null ? _decimal : null;

    public bool IsZero => _double is { } number ? number == 0 : _decimal == 0;

    /// <summary>As near as a double gives it.</summary>
    /// <exception cref="CalculationException">It is no number any more, or too large for one.</exception>
    public static Figure Of(double value)
    {
        if (double.IsNaN(value)) throw new CalculationException("undefined", "The result is not a real number.");
        if (double.IsInfinity(value)) throw new CalculationException("overflow", "The result is larger than 1.8e308.");
        if (value != 0 && Math.Abs(value) is < 1e-14 or > 1e15) return new Figure(value);
        return new Figure((decimal)value, exact: false);
    }

    public Figure Add(Figure other) => Both(other, static (a, b) => a + b, static (a, b) => a + b, (a, b, sum) => sum - a == b && sum - b == a);

    public Figure Subtract(Figure other) => Both(other, static (a, b) => a - b, static (a, b) => a - b, (a, b, rest) => rest + b == a);

    public Figure Multiply(Figure other) => Both(other, static (a, b) => a * b, static (a, b) => a * b, (a, b, product) => a == 0 || b == 0 || (product != 0 && product / a == b && product / b == a));

    public Figure Divide(Figure other)
    {
        if (other.IsZero) throw new CalculationException("division_by_zero", "Division by zero.");
        return Both(other, static (a, b) => a / b, static (a, b) => a / b, (a, b, quotient) => quotient * b == a);
    }

    public Figure Modulo(Figure other)
    {
        if (other.IsZero) throw new CalculationException("division_by_zero", "Remainder of a division by zero.");
        return Both(other, static (a, b) => a % b, static (a, b) => a % b, (_, _, _) => true);
    }

    public Figure Negate() => _double is { } number ? new Figure(-number) : new Figure(-_decimal, Exact);

    public Figure Power(Figure exponent)
    {
        if (IsZero && exponent.Double < 0) throw new CalculationException("division_by_zero", "Zero to a negative power.");
        if (exponent.Decimal is { } whole && decimal.IsInteger(whole) && Math.Abs(whole) <= MostExactPower && Decimal is not null)
        {
            var power = Raised((int)Math.Abs(whole));
            if (power.Decimal is not null) return whole < 0 ? new Figure(1m).Divide(power) : power;
        }

        return Of(Math.Pow(Double, exponent.Double));
    }

    /// <summary>As short as it can be without losing a digit; a point, no separators.</summary>
    public override string ToString() => _double is { } number
        ? number.ToString("R", CultureInfo.InvariantCulture)
        : (_decimal / 1.0000000000000000000000000000m).ToString(CultureInfo.InvariantCulture);

    private Figure Raised(int times)
    {
        var (result, square) = (new Figure(1m), this);
        for (var rest = times; rest > 0; rest >>= 1)
        {
            if ((rest & 1) == 1) result = result.Multiply(square);
            if (rest > 1) square = square.Multiply(square);
            if (result.Decimal is null || square.Decimal is null) return Of(Math.Pow(Double, times));
        }

        return result;
    }

    private Figure Both(Figure other, Func<decimal, decimal, decimal> exactly, Func<double, double, double> nearly, Func<decimal, decimal, decimal, bool> nothingLost)
    {
        if (Decimal is { } left && other.Decimal is { } right)
        {
            try
            {
                var result = exactly(left, right);
                // What vanished below the smallest decimal is left to a double.
                if (result != 0 || left == 0 || right == 0 || nothingLost(left, right, result)) return new Figure(result, Exact && other.Exact && nothingLost(left, right, result));
            }
            catch (OverflowException)
            {
                // Beyond 28 digits; a double reaches further.
            }
        }

        return Of(nearly(Double, other.Double));
    }
}

/// <summary>An expression without a value.</summary>
/// <param name="code">Stable, such as <c>division_by_zero</c>.</param>
internal sealed class CalculationException(string code, string message, int? position = null) : Exception(message)
{
    public string Code => code;

    /// <summary>Characters before the place it speaks of; null where it speaks of the whole.</summary>
    public int? Position => position;
}
