using System.Text.Json;

namespace Penstock.Providers.Local;

/// <summary>The numbers a schema allows.</summary>
internal sealed class NumberRange
{
    // Far within decimal's range, so that sums and products stay in it.
    private const decimal Bound = 1_000_000_000_000_000_000m;

    private decimal _least = -Bound;
    private decimal _most = Bound;
    private bool _aboveLeast;
    private bool _belowMost;
    private decimal _step;

    /// <summary>Null where a limit is beyond 10¹⁸ or below any precision, which no value from a text needs.</summary>
    public static NumberRange? Of(Schema schema, bool whole)
    {
        var range = new NumberRange { _step = whole ? 1 : 0 };
        try
        {
            foreach (var least in schema.Numbers("minimum")) range.Raise((decimal)least, exclusive: false);
            foreach (var least in schema.Numbers("exclusiveMinimum")) range.Raise((decimal)least, exclusive: true);
            foreach (var most in schema.Numbers("maximum")) range.Lower((decimal)most, exclusive: false);
            foreach (var most in schema.Numbers("exclusiveMaximum")) range.Lower((decimal)most, exclusive: true);
            foreach (var step in schema.Numbers("multipleOf"))
            {
                if (step <= 0 || (decimal)step == 0) return null;
                range._step = range._step == 0 || (decimal)step % range._step == 0 ? (decimal)step : range._step % (decimal)step == 0 ? range._step : range._step * (decimal)step;
            }

            // Draft 4: a flag beside the limit.
            range._aboveLeast |= schema.Member("exclusiveMinimum") is { ValueKind: JsonValueKind.True };
            range._belowMost |= schema.Member("exclusiveMaximum") is { ValueKind: JsonValueKind.True };
        }
        catch (OverflowException)
        {
            return null;
        }

        return Math.Abs(range._least) <= Bound && Math.Abs(range._most) <= Bound && range._step <= Bound ? range : null;
    }

    public bool Allows(decimal value) => (value > _least || (value == _least && !_aboveLeast)) && (value < _most || (value == _most && !_belowMost)) && (_step == 0 || value % _step == 0);

    /// <summary>The allowed number nearest to 0; null where there is none.</summary>
    public decimal? Nearest()
    {
        if (Allows(0)) return 0;
        var above = _least > 0 || (_least == 0 && _aboveLeast);
        var (from, excluded, direction) = above ? (_least, _aboveLeast, 1m) : (_most, _belowMost, -1m);
        decimal candidate;
        if (_step > 0)
        {
            candidate = direction * decimal.Ceiling(Math.Abs(from) / _step) * _step;
            if (candidate == from && excluded) candidate += direction * _step;
        }
        else
        {
            var middle = (_least + _most) / 2;
            candidate = !excluded ? from : Allows(from + direction) ? from + direction : middle;
        }

        return Allows(candidate) ? candidate : null;
    }

    private void Raise(decimal least, bool exclusive)
    {
        if (least < _least || (least == _least && !exclusive)) return;
        (_least, _aboveLeast) = (least, exclusive);
    }

    private void Lower(decimal most, bool exclusive)
    {
        if (most > _most || (most == _most && !exclusive)) return;
        (_most, _belowMost) = (most, exclusive);
    }
}
