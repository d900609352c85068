using System.Text;

namespace Penstock.Tests.Agents;

/// <summary>A stream of server-sent events as a client has it.</summary>
internal static class EventText
{
    /// <summary>The part of what came that is whole events, and the id of the last; null where there is none.</summary>
    public static (byte[] Whole, string? LastId) Received(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.LastIndexOf("\n\n"u8);
        if (end < 0) return ([], null);
        var whole = bytes[..(end + 2)];
        var text = Encoding.UTF8.GetString(whole);
        var id = text.LastIndexOf("id: ", StringComparison.Ordinal);
        // Data is one line, and no line of it begins so.
        while (id > 0 && text[id - 1] != '\n') id = text.LastIndexOf("id: ", id - 1, StringComparison.Ordinal);
        return (whole.ToArray(), text[(id + 4)..text.IndexOf('\n', id)]);
    }

    public static List<(string Id, string Kind, string Data)> Parse(string text) =>
    [
        .. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(block => !block.StartsWith(':'))
            .Select(block => block.Split('\n')).Select(lines => (lines[0]["id: ".Length..], lines[1]["event: ".Length..], lines[2]["data: ".Length..])),
    ];
}
