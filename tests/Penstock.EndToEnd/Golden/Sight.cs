using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Penstock.EndToEnd.Golden;

/// <summary>What was seen, with names in place of what differs from one run to the next.</summary>
internal sealed partial class Sight(HttpText answer)
{
    /// <summary>An instant of ours is about now; one a vendor recorded is long gone.</summary>
    private static readonly TimeSpan AboutNow = TimeSpan.FromMinutes(10);

    private static readonly JsonWriterOptions Pretty = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _request = answer.Header("x-request-id");

    /// <param name="pretty">The body is JSON whose white space says nothing: it is indented, so that a person can read it.</param>
    public string Of(HttpText message, bool pretty)
    {
        var text = (pretty ? message with { Body = Indented(message.Body) } : message).ToString();
        // The hexadecimal part stands alone in ids of other forms, such as Anthropic's.
        text = text.Replace(_request, "<<request>>", StringComparison.Ordinal).Replace(_request[(_request.IndexOf('_', StringComparison.Ordinal) + 1)..], "<<request>>", StringComparison.Ordinal);
        text = Attempt().Replace(text, "<<attempt>>");
        text = Latency().Replace(text, "\"latencyMs\":<<latency>>");
        return Created().Replace(text, created => IsAboutNow(created.Groups[1].Value) ? "\"created\":<<now>>" : created.Value);
    }

    private static bool IsAboutNow(string seconds) =>
        (TimeProvider.System.GetUtcNow() - DateTimeOffset.FromUnixTimeSeconds(long.Parse(seconds, CultureInfo.InvariantCulture))).Duration() < AboutNow;

    private static string Indented(string body)
    {
        using var parsed = JsonDocument.Parse(body, new JsonDocumentOptions { AllowDuplicateProperties = false });
        using var output = new MemoryStream();
        using (var json = new Utf8JsonWriter(output, Pretty)) parsed.RootElement.WriteTo(json);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    [GeneratedRegex("att_[0-9a-f]{24}")]
    private static partial Regex Attempt();

    [GeneratedRegex("\"latencyMs\":[0-9]+")]
    private static partial Regex Latency();

    [GeneratedRegex("\"created\":([0-9]{10})")]
    private static partial Regex Created();
}
