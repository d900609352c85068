using System.Globalization;

namespace Penstock.Kernel;

/// <summary>A time as a request gives it: ISO 8601 as <c>2026-11-30</c> or <c>2026-11-30T12:00:00Z</c>; UTC where no offset is given.</summary>
public static class RequestTime
{
    private static readonly string[] Forms = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    /// <summary>In UTC. False for every other form: <c>12:00</c> or <c>11/30/2026</c> would be guessed at, and often wrongly.</summary>
    public static bool TryRead(string text, out DateTimeOffset time) =>
        DateTimeOffset.TryParseExact(text, Forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
}
