using System.Globalization;
using System.Text.Json;

namespace Penstock.Upstream.Anthropic;

/// <summary>Anthropic's paths (<c>messages.0.content</c>) and sentences; all of it is <c>invalid_request_error</c>.</summary>
internal sealed class AnthropicWording : Wording
{
    public static readonly AnthropicWording Instance = new();

    public static VendorRefusal Refuse(string message) => new(400, "invalid_request_error", message);

    public override string Child(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    public override string Item(string path, int index) => string.Create(CultureInfo.InvariantCulture, $"{path}.{index}");

    public override VendorRefusal Missing(string path) => Refuse($"{path}: Field required");

    public override VendorRefusal Unknown(string path, bool topLevel) => Refuse($"{path}: Extra inputs are not permitted");

    public override VendorRefusal WrongType(string path, JsonValueKind wanted, bool whole, JsonElement got) => Refuse($"{path}: Input should be {Name(wanted, whole)}");

    public override VendorRefusal OutOfRange(string path, bool whole, double min, double max, double got) =>
        Refuse(string.Create(CultureInfo.InvariantCulture, $"{path}: Input should be {(got > max ? "less" : "greater")} than or equal to {(got > max ? max : min)}"));

    public override VendorRefusal NotOneOf(string path, string got, ReadOnlySpan<string> choices)
    {
        string[] quoted = [.. choices.ToArray().Select(choice => $"'{choice}'")];
        return Refuse($"{path}: Input should be {(quoted.Length == 1 ? quoted[0] : $"{string.Join(", ", quoted[..^1])} or {quoted[^1]}")}");
    }

    public override VendorRefusal TooManyItems(string path, int max, int got) => Refuse($"{path}: List should have at most {max} items after validation, not {got}");

    public override VendorRefusal NoItems(string path) => Refuse($"{path}: List should have at least 1 item after validation, not 0");

    public override VendorRefusal Invalid(string path, string message) => Refuse($"{path}: {message}");

    private static string Name(JsonValueKind kind, bool whole) => kind switch
    {
        JsonValueKind.Object => "a valid dictionary",
        JsonValueKind.Array => "a valid list",
        JsonValueKind.String => "a valid string",
        JsonValueKind.Number => whole ? "a valid integer" : "a valid number",
        _ => "a valid boolean",
    };
}
