using System.Globalization;
using System.Text;

namespace Penstock.Http;

/// <summary>What a client may name and a log line shows.</summary>
internal static class OneLine
{
    /// <summary>False for a text that could end the line it stands in or steer a terminal, and for one that is no text.</summary>
    public static bool Is(string text)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out var length) != System.Buffers.OperationStatus.Done) return false;
            if (Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator) return false;
            rest = rest[length..];
        }

        return true;
    }
}
