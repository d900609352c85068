using System.Diagnostics;
using FsCheck;
using FsCheck.Fluent;
using Penstock.Tools.Calculator;
using Xunit;

namespace Penstock.Tests.Tools;

public sealed class ExpressionTests
{
    [Theory]
    [InlineData("1 + 2 * 3", "7", true)]
    [InlineData("(1 + 2) * 3", "9", true)]
    [InlineData("0.1 + 0.2", "0.3", true)]
    [InlineData("-2^2", "-4", true)]
    [InlineData("2^-2", "0.25", true)]
    [InlineData("2^3^2", "512", true)]
    [InlineData("2 ** 3", "8", true)]
    [InlineData("7 % 4", "3", true)]
    [InlineData("6 ÷ 3 × 2 − 1", "3", true)]
    [InlineData("1/3", "0.3333333333333333333333333333", false)]
    [InlineData("1/4", "0.25", true)]
    [InlineData("sqrt(2.25)", "1.5", true)]
    [InlineData("round(2.345, 2)", "2.35", true)]
    [InlineData("max(1, 5, 3) + min(2, 1)", "6", true)]
    [InlineData("avg(1, 2)", "1.5", true)]
    [InlineData("x * 2 + y", "7", true)]
    [InlineData("10^20 * 10^20", "1E+40", false)]
    [InlineData("2^100", "1.2676506002282294E+30", false)]
    [InlineData("1e-20 * 1e-20", "1E-40", false)]
    [InlineData("12345678901234567890 * 10", "123456789012345678900", true)]
    [InlineData("round(pi, 4)", "3.1416", false)]
    [InlineData("log(8, 2)", "3", false)]
    [InlineData("sum()", null, false)]
    public void An_expression_has_a_value(string expression, string? value, bool exact)
    {
        if (value is null)
        {
            Assert.Equal("unknown_function", Error(expression).Code);
            return;
        }

        var figure = Evaluate(expression);
        Assert.Equal((value, exact), (figure.ToString(), figure.Exact));
    }

    [Theory]
    [InlineData("1 / 0", "division_by_zero", 2)]
    [InlineData("5 % (2 - 2)", "division_by_zero", 2)]
    [InlineData("0 ^ -1", "division_by_zero", 2)]
    [InlineData("9^9^9^9", "overflow", 3)]
    [InlineData("exp(1000)", "overflow", 0)]
    [InlineData("1e999", "overflow", 0)]
    [InlineData("sqrt(-1)", "undefined", 0)]
    [InlineData("(-8)^(1/3)", "undefined", 4)]
    [InlineData("ln(0)", "undefined", 0)]
    [InlineData("1 +", "incomplete", 3)]
    [InlineData("", "incomplete", 0)]
    [InlineData("(1", "unclosed", 2)]
    [InlineData("1)", "unexpected", 1)]
    [InlineData("1 2", "unexpected", 2)]
    [InlineData("1,000", "unexpected", 1)]
    [InlineData("1..2", "invalid_number", 0)]
    [InlineData("system('ls')", "unexpected", 7)]
    [InlineData("process", "unknown_name", 0)]
    [InlineData("foo(1)", "unknown_function", 0)]
    [InlineData("round(1, 99)", "invalid_digits", 0)]
    [InlineData("\u0000", "unexpected", 0)]
    public void An_expression_without_a_value_says_where_and_why(string expression, string code, int position)
    {
        var error = Error(expression);
        Assert.Equal((code, position), (error.Code, error.Position));
    }

    [Fact]
    public void A_bomb_costs_nothing()
    {
        var watch = Stopwatch.StartNew();
        Assert.Equal("too_deep", Error(new string('(', 10_000) + "1" + new string(')', 10_000)).Code);
        Assert.Equal("too_deep", Error(new string('-', 10_000) + "1").Code);
        Assert.Equal("too_deep", Error(string.Join('^', Enumerable.Repeat("1.1", 10_000))).Code);
        Assert.Equal("overflow", Error(string.Join('*', Enumerable.Repeat("1e300", 10_000))).Code);
        Assert.Equal("overflow", Error("(9^999)^999").Code);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"took {watch.Elapsed}");
    }

    [Fact]
    public void Many_terms_side_by_side_are_not_deep() => Assert.Equal("1000", Evaluate(string.Join('+', Enumerable.Repeat("(1)", 1_000))).ToString());

    [Fact]
    public void What_a_decimal_holds_is_added_and_multiplied_exactly() => Prop.ForAll<int, int, byte>((left, right, scale) =>
    {
        var (a, b) = (new decimal(Math.Abs((long)left) > int.MaxValue ? 1 : Math.Abs(left), 0, 0, false, (byte)(scale % 6)), (decimal)Math.Abs((long)right));
        var text = FormattableString.Invariant($"{a} * {b} + {b} - {a}");
        var value = Evaluate(text);
        return value.Exact && value.Decimal == (a * b) + b - a;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Whatever_is_sent_is_a_value_or_says_why() => Prop.ForAll<NonNull<string>>(text =>
    {
        try
        {
            return Evaluate(text.Get).ToString().Length > 0;
        }
        catch (CalculationException e)
        {
            return e.Code.Length > 0;
        }
    }).QuickCheckThrowOnFailure();

    private static CalculationException Error(string expression) => Assert.Throws<CalculationException>(() => Evaluate(expression));

    private static Figure Evaluate(string expression) => Expression.Evaluate(expression, new Dictionary<string, Figure> { ["x"] = new(3), ["y"] = new(1) });
}
