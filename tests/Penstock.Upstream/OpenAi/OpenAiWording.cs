using System.Globalization;
using System.Text.Json;

namespace Penstock.Upstream.OpenAi;

/// <summary>OpenAI's paths (<c>messages[0].content</c>), codes and sentences.</summary>
internal sealed class OpenAiWording : Wording
{
    public static readonly OpenAiWording Instance = new();

    public static VendorRefusal Refuse(string message, string? param = null, string? code = null) => new(400, "invalid_request_error", message, param, code);

    public override string Child(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    public override string Item(string path, int index) => $"{path}[{index}]";

    public override VendorRefusal Missing(string path) => Refuse($"Missing required parameter: '{path}'.", path, "missing_required_parameter");

    public override VendorRefusal Unknown(string path, bool topLevel) => topLevel
        ? Refuse($"Unrecognized request argument supplied: {path}")
        : Refuse($"Unknown parameter: '{path}'.", path, "unknown_parameter");

    public override VendorRefusal WrongType(string path, JsonValueKind wanted, bool whole, JsonElement got) =>
        Refuse($"Invalid type for '{path}': expected {Name(wanted, whole)}, but got {Got(got, whole)} instead.", path, "invalid_type");

    public override VendorRefusal OutOfRange(string path, bool whole, double min, double max, double got)
    {
        var (kind, above) = (whole ? "integer" : "decimal", got > max);
        return Refuse(
            string.Create(CultureInfo.InvariantCulture, $"Invalid '{path}': {kind} {(above ? "above maximum" : "below minimum")} value. Expected a value {(above ? "<=" : ">=")} {(above ? max : min)}, but got {got} instead."),
            path,
            $"{kind}_{(above ? "above_max" : "below_min")}_value");
    }

    public override VendorRefusal NotOneOf(string path, string got, ReadOnlySpan<string> choices)
    {
        string[] quoted = [.. choices.ToArray().Select(choice => $"'{choice}'")];
        var list = quoted.Length == 1 ? quoted[0] : $"{string.Join(", ", quoted[..^1])}, and {quoted[^1]}";
        return Refuse($"Invalid value: '{got}'. Supported values are: {list}.", path, "invalid_value");
    }

    public override VendorRefusal TooManyItems(string path, int max, int got) =>
        Refuse($"Invalid '{path}': array too long. Expected an array with maximum length {max}, but got an array with length {got} instead.", path, "array_above_max_length");

    public override VendorRefusal NoItems(string path) =>
        Refuse($"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead.", path, "empty_array");

    public override VendorRefusal Invalid(string path, string message) => Refuse($"Invalid '{path}': {message}", path, "invalid_value");

    private static string Name(JsonValueKind kind, bool whole) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => whole ? "an integer" : "a decimal",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };

    private static string Got(JsonElement got, bool whole) => got.ValueKind == JsonValueKind.Number ? (whole ? "a decimal number" : "an integer") : Name(got.ValueKind, false);
}
