namespace Penstock.Kernel;

/// <summary>An amount in integer nano-dollars (10⁻⁹ USD). Never floating point.</summary>
public readonly record struct Money(long NanoDollars) : IComparable<Money>
{
    public static readonly Money Zero = new(0);

    private const decimal NanosPerDollar = 1_000_000_000m;

    /// <summary>Exact to the nano-dollar; a finer fraction is rounded up, so that an amount never falls short.</summary>
    public static Money FromUsd(decimal usd) => new((long)decimal.Ceiling(usd * NanosPerDollar));

    public decimal Usd => NanoDollars / NanosPerDollar;

    /// <summary>How much of <paramref name="whole"/> this is; 100 where that is nothing.</summary>
    public decimal PercentOf(Money whole) => whole.NanoDollars == 0 ? 100 : NanoDollars * 100m / whole.NanoDollars;

    public int CompareTo(Money other) => NanoDollars.CompareTo(other.NanoDollars);

    public static Money operator +(Money left, Money right) => new(checked(left.NanoDollars + right.NanoDollars));
    public static Money operator -(Money left, Money right) => new(checked(left.NanoDollars - right.NanoDollars));
    public static bool operator <(Money left, Money right) => left.NanoDollars < right.NanoDollars;
    public static bool operator >(Money left, Money right) => left.NanoDollars > right.NanoDollars;
    public static bool operator <=(Money left, Money right) => left.NanoDollars <= right.NanoDollars;
    public static bool operator >=(Money left, Money right) => left.NanoDollars >= right.NanoDollars;

    public override string ToString() => FormattableString.Invariant($"{Usd:0.#########} USD");
}
