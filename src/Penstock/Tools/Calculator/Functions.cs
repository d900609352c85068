namespace Penstock.Tools.Calculator;

/// <summary>What an expression may call. Angles are in radians.</summary>
internal static class Functions
{
    public const string Known = "abs, acos, asin, atan, avg, ceil, cos, exp, floor, ln, log, log10, max, min, round, sin, sqrt, sum, tan";

    public static Figure? Constant(string name) => name switch
    {
        "pi" => new Figure(3.1415926535897932384626433833m, exact: false),
        "e" => new Figure(2.7182818284590452353602874714m, exact: false),
        _ => null,
    };

    public static Figure Call(string name, IReadOnlyList<Figure> values, int position) => (name, values.Count) switch
    {
        ("abs", 1) => values[0].Double < 0 ? values[0].Negate() : values[0],
        ("ceil", 1) => Whole(values[0], decimal.Ceiling, Math.Ceiling),
        ("floor", 1) => Whole(values[0], decimal.Floor, Math.Floor),
        ("round", 1) => Round(values[0], 0),
        ("round", 2) => Round(values[0], Digits(values[1], position)),
        ("sqrt", 1) => Root(values[0]),
        ("exp", 1) => Figure.Of(Math.Exp(values[0].Double)),
        ("ln", 1) or ("log", 1) => Figure.Of(Math.Log(Positive(values[0], position))),
        ("log10", 1) => Figure.Of(Math.Log10(Positive(values[0], position))),
        ("log", 2) => Figure.Of(Math.Log(Positive(values[0], position), Positive(values[1], position))),
        ("sin", 1) => Figure.Of(Math.Sin(values[0].Double)),
        ("cos", 1) => Figure.Of(Math.Cos(values[0].Double)),
        ("tan", 1) => Figure.Of(Math.Tan(values[0].Double)),
        ("asin", 1) => Figure.Of(Math.Asin(values[0].Double)),
        ("acos", 1) => Figure.Of(Math.Acos(values[0].Double)),
        ("atan", 1) => Figure.Of(Math.Atan(values[0].Double)),
        ("min", > 0) => values.MinBy(value => value.Double),
        ("max", > 0) => values.MaxBy(value => value.Double),
        ("sum", > 0) => values.Aggregate((sum, value) => sum.Add(value)),
        ("avg", > 0) => values.Aggregate((sum, value) => sum.Add(value)).Divide(new Figure(values.Count)),
        _ => throw new CalculationException("unknown_function", $"There is no function '{name}' of {values.Count} values. Known: {Known}.", position),
    };

    private static Figure Whole(Figure value, Func<decimal, decimal> exactly, Func<double, double> nearly) =>
        value.Decimal is { } number ? new Figure(exactly(number), value.Exact) : Figure.Of(nearly(value.Double));

    private static Figure Round(Figure value, int digits) =>
        value.Decimal is { } number ? new Figure(decimal.Round(number, digits, MidpointRounding.AwayFromZero), value.Exact) : value;

    private static Figure Root(Figure value)
    {
        if (value.Double < 0) throw new CalculationException("undefined", "The square root of a negative number is not a real number.");
        var near = Figure.Of(Math.Sqrt(value.Double));
        // Squares of short decimals have exact roots.
        return near.Decimal is { } root && value.Decimal is { } square && square <= 1e20m && decimal.Round(root, 10) is var rounded && rounded * rounded == square ? new Figure(rounded, value.Exact) : near;
    }

    private static int Digits(Figure value, int position) => value.Decimal is { } digits && decimal.IsInteger(digits) && digits is >= 0 and <= 28
        ? (int)digits
        : throw new CalculationException("invalid_digits", "round takes 0 to 28 digits.", position);

    private static double Positive(Figure value, int position) =>
        value.Double > 0 ? value.Double : throw new CalculationException("undefined", "A logarithm is taken of a number above 0.", position);
}
