using System.Globalization;

namespace Penstock.Http;

/// <summary>Times as requests give them: ISO 8601, a day or an instant, UTC where no offset is given. Nothing that another country or another day would read otherwise.</summary>
internal static class IsoTime
{
    private static readonly string[] Forms = ["yyyy-MM-dd", "yyyy-MM-ddTHH:mmK", "yyyy-MM-ddTHH:mm:ssK", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK"];

    public static bool TryParse(string text, out DateTimeOffset instant) =>
        DateTimeOffset.TryParseExact(text, Forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out instant);
}
