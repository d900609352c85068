namespace Penstock.Guards;

/// <summary>What a rule sees: the symbols from a place on, and the two before it.</summary>
/// <param name="final">The text ends with the last symbol; else more may come.</param>
internal readonly ref struct Window(ReadOnlySpan<char> symbols, char before, char previous, bool final)
{
    /// <summary>From the place on, which is at 0.</summary>
    public ReadOnlySpan<char> Symbols { get; } = symbols;

    /// <summary>The symbol before <see cref="Previous"/>; a line break where there is none.</summary>
    public char Before { get; } = before;

    public char Previous { get; } = previous;

    public bool Final { get; } = final;
}

/// <summary>Says whether something that a rule looks for begins at a window's place.</summary>
/// <returns>
/// How many symbols it has, the most there can be; 0 where nothing begins there; <see cref="Finding.Wait"/> where that depends on what is yet to come. The answer
/// for a text never depends on how it was cut: that is what keeps a stream and a whole text the same.
/// </returns>
internal delegate int Find(in Window window);

internal static class Finding
{
    public const int Wait = -1;
    public const int None = 0;
}

/// <summary>Reads symbols one by one, and notes when it was asked for one that is yet to come.</summary>
internal ref struct Cursor(in Window window)
{
    private const char Past = '\0';

    private readonly ReadOnlySpan<char> _symbols = window.Symbols;
    private readonly bool _final = window.Final;
    private bool _waits;

    public int At { get; private set; }

    public readonly bool Waits => _waits;

    /// <summary>What to answer where nothing was found.</summary>
    public readonly int Failed => _waits ? Finding.Wait : Finding.None;

    /// <summary>What to answer where this was found: it counts only if nothing that is yet to come was looked at.</summary>
    public readonly int Found(int length) => _waits ? Finding.Wait : length;

    public char Peek(int ahead = 0)
    {
        if (At + ahead < _symbols.Length) return _symbols[At + ahead];
        _waits |= !_final;
        return Past;
    }

    public void Skip(int count = 1) => At += count;

    public bool Take(char symbol)
    {
        if (Peek() != symbol) return false;
        At++;
        return true;
    }

    /// <summary>Exactly so many digits; none is taken where there are fewer.</summary>
    public bool TakeDigits(int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (!char.IsAsciiDigit(Peek(i))) return false;
        }

        At += count;
        return true;
    }

    /// <summary>Nothing follows that would make it part of something longer.</summary>
    public bool Ends() => !Fold.IsWord(Peek()) && !(Peek() == '-' && Fold.IsWord(Peek(1)));
}
