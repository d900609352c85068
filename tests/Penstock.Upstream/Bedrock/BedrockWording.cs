using System.Globalization;
using System.Text.Json;

namespace Penstock.Upstream.Bedrock;

/// <summary>Bedrock's sentences; all of it is <c>ValidationException</c>.</summary>
internal sealed class BedrockWording : Wording
{
    public static readonly BedrockWording Instance = new();

    public static VendorRefusal Refuse(string message) => new(400, "ValidationException", message);

    public override string Child(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    public override string Item(string path, int index) => string.Create(CultureInfo.InvariantCulture, $"{path}.{index}");

    public override VendorRefusal Missing(string path) => Refuse($"1 validation error detected: Value at '{path}' failed to satisfy constraint: Member must not be null");

    public override VendorRefusal Unknown(string path, bool topLevel) => Refuse($"Malformed input request: #/{path}: extraneous key [{path.Split('.')[^1]}] is not permitted, please reformat your input and try again.");

    public override VendorRefusal WrongType(string path, JsonValueKind wanted, bool whole, JsonElement got) => Refuse($"Malformed input request: #/{path}: expected type: {wanted}, found: {got.ValueKind}, please reformat your input and try again.");

    public override VendorRefusal OutOfRange(string path, bool whole, double min, double max, double got) =>
        Refuse(string.Create(CultureInfo.InvariantCulture, $"1 validation error detected: Value '{got}' at '{path}' failed to satisfy constraint: Member must have value {(got > max ? $"less than or equal to {max}" : $"greater than or equal to {min}")}"));

    public override VendorRefusal NotOneOf(string path, string got, ReadOnlySpan<string> choices) =>
        Refuse($"1 validation error detected: Value '{got}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [{string.Join(", ", choices.ToArray())}]");

    public override VendorRefusal TooManyItems(string path, int max, int got) => Refuse($"1 validation error detected: Value at '{path}' failed to satisfy constraint: Member must have length less than or equal to {max}");

    public override VendorRefusal NoItems(string path) => Refuse($"The {path} field is empty. Add content to it and try again.");

    public override VendorRefusal Invalid(string path, string message) => Refuse($"{path}: {message}");
}
