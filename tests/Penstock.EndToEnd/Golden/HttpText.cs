using System.Text;

namespace Penstock.EndToEnd.Golden;

/// <summary>An HTTP message as it stands in a file: a first line, headers in lower case and in order, an empty line, the body.</summary>
internal sealed record HttpText(string Start, IReadOnlyList<KeyValuePair<string, string>> Headers, string Body)
{
    /// <summary>Throws for bytes that are not UTF-8, so that no difference hides behind a replacement character.</summary>
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>What the transport decides, and what differs from one moment to the next.</summary>
    private static readonly HashSet<string> Ignored = ["host", "content-length", "transfer-encoding", "date", "connection"];

    /// <summary>How limits stand differs from one moment to the next.</summary>
    private static readonly string[] IgnoredForms = ["x-ratelimit-", "anthropic-ratelimit-"];

    public static HttpText Of(string start, IEnumerable<KeyValuePair<string, string>> headers, byte[] body) => new(
        start,
        [.. headers.Select(header => new KeyValuePair<string, string>(header.Key.ToLowerInvariant(), header.Value)).Where(header => !IsIgnored(header.Key)).OrderBy(header => header.Key, StringComparer.Ordinal)],
        Strict.GetString(body));

    public static HttpText Parse(string text)
    {
        var end = text.IndexOf("\n\n", StringComparison.Ordinal);
        var (head, body) = end < 0 ? (text, "") : (text[..end], text[(end + 2)..]);
        var lines = head.Split('\n');
        return new HttpText(lines[0], [.. lines[1..].Select(line => line.Split(": ", 2)).Select(pair => new KeyValuePair<string, string>(pair[0], pair[1]))], body);
    }

    private static bool IsIgnored(string name) => Ignored.Contains(name) || IgnoredForms.Any(form => name.StartsWith(form, StringComparison.Ordinal));

    public byte[] Bytes => Strict.GetBytes(Body);

    public string Header(string name) => Headers.Single(header => header.Key == name).Value;

    public override string ToString() => $"{Start}\n{string.Concat(Headers.Select(header => $"{header.Key}: {header.Value}\n"))}\n{Body}";
}
