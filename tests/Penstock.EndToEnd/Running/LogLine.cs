using System.Globalization;
using System.Text.Json;

namespace Penstock.EndToEnd.Running;

/// <summary>One line of the server's JSON log.</summary>
internal sealed record LogLine(string Raw, string Level, string Category, string Message, string? Exception, IReadOnlyDictionary<string, string?> State)
{
    public static LogLine? Parse(string line)
    {
        if (!line.StartsWith('{')) return null;
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            if (!root.TryGetProperty("LogLevel"u8, out var level)) return null;
            var state = root.TryGetProperty("State"u8, out var members)
                ? members.EnumerateObject().ToDictionary(member => member.Name, member => Text(member.Value))
                : [];
            return new LogLine(line, level.GetString()!, root.GetProperty("Category"u8).GetString()!, root.GetProperty("Message"u8).GetString()!, root.TryGetProperty("Exception"u8, out var exception) ? exception.GetString() : null, state);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public string? this[string name] => State.GetValueOrDefault(name);

    public decimal Number(string name) => decimal.Parse(State[name]!, NumberStyles.Float, CultureInfo.InvariantCulture);

    private static string? Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => value.GetString(),
        _ => value.GetRawText(),
    };
}
