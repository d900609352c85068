using System.Globalization;
using System.Text.Json;

namespace Penstock.Kernel;

/// <summary>
/// A JSON value and the path that leads to it, so that whatever is wrong is refused by name.
/// A member that is absent or <c>null</c> counts as not given. Every reader throws <see cref="RefusedException"/> (400).
/// </summary>
public readonly struct JsonView(JsonElement element, string path)
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    public JsonElement Element { get; } = element;

    /// <summary>Such as <c>messages[2].content</c>; empty for the whole body.</summary>
    public string Path { get; } = path;

    public JsonValueKind Kind => Element.ValueKind;

    /// <summary>
    /// Parses a request body. Names given twice are refused, because two readers of one body could each believe another of them.
    /// The document lives as long as the view; it is not pooled.
    /// </summary>
    public static JsonView Parse(ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty) throw new RefusedException(Refusal.Invalid("", "The body is empty; send a JSON object."));
        if (!System.Text.Unicode.Utf8.IsValid(body.Span)) throw new RefusedException(Refusal.Invalid("", "The body is not valid UTF-8."));
        try
        {
            // JsonDocument.Parse rents its tables; ParseValue's clone would copy the text. GC takes an undisposed one back.
            var root = JsonDocument.Parse(body, Strict).RootElement;
            return root.ValueKind == JsonValueKind.Object
                ? new JsonView(root, "")
                : throw new RefusedException(Refusal.Invalid("", $"The body must be a JSON object, not {Describe(root.ValueKind)}."));
        }
        catch (JsonException e)
        {
            throw new RefusedException(Refusal.Invalid("", Explain(e)));
        }
        catch (InvalidOperationException)
        {
            // The search for names given twice unescapes them, and an escaped half of a surrogate pair is no text.
            throw new RefusedException(Refusal.Invalid("", "The body has a member whose name holds half of a surrogate pair, which is no text."));
        }
    }

    public JsonView? Optional(string name) =>
        Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null
            ? new JsonView(found, Child(name))
            : null;

    public JsonView Required(string name) =>
        Optional(name) ?? throw new RefusedException(Refusal.Invalid(Child(name), $"'{Child(name)}' is required."));

    public IEnumerable<(string Name, JsonView Value)> Members()
    {
        if (Kind != JsonValueKind.Object) throw Bad("must be an object");
        foreach (var member in Element.EnumerateObject())
        {
            var name = NameOf(member);
            yield return (name, new JsonView(member.Value, Child(name)));
        }
    }

    public IEnumerable<JsonView> Items()
    {
        if (Kind != JsonValueKind.Array) throw Bad("must be an array");
        var index = 0;
        foreach (var item in Element.EnumerateArray()) yield return new JsonView(item, $"{Path}[{index++}]");
    }

    public int Count => Kind == JsonValueKind.Array ? Element.GetArrayLength() : throw Bad("must be an array");

    public string Text()
    {
        if (Kind != JsonValueKind.String) throw Bad("must be a string");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // An escaped half of a surrogate pair is valid JSON but no text.
            throw Bad("holds half of a surrogate pair, which is no text");
        }
    }

    public string NonEmptyText() => Text() is { Length: > 0 } text ? text : throw Bad("must not be empty");

    /// <summary>1 to <paramref name="longest"/> characters, counted as JSON Schema counts them: a surrogate pair is one.</summary>
    public string ShortText(int longest) => NonEmptyText() is var text && CountUpTo(text, longest) <= longest ? text : throw Bad($"must have at most {longest} characters");

    /// <summary>Characters of <paramref name="text"/>, a surrogate pair as one; where it is clear that there are more than <paramref name="longest"/>, some greater number.</summary>
    public static int CountUpTo(string text, int longest) => text.Length <= longest || text.Length / 2 > longest ? text.Length : text.EnumerateRunes().Count();

    public bool Flag() => Kind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Bad("must be true or false"),
    };

    public int Whole(int min = int.MinValue, int max = int.MaxValue) => (int)WholeLong(min, max);

    /// <summary>A whole number however it is written: <c>20</c>, <c>20.0</c> and <c>2e1</c> are the same number.</summary>
    public long WholeLong(long min = long.MinValue, long max = long.MaxValue) =>
        Kind == JsonValueKind.Number && TryGetWhole(out var value) && value >= min && value <= max
            ? value
            : throw Bad(string.Create(CultureInfo.InvariantCulture, $"must be a whole number from {min} to {max}"));

    public double Number(double min = double.MinValue, double max = double.MaxValue) =>
        Kind == JsonValueKind.Number && Element.TryGetDouble(out var value) && value >= min && value <= max
            ? value
            : throw Bad(string.Create(CultureInfo.InvariantCulture, $"must be a number from {min} to {max}"));

    public decimal Decimal(decimal min, decimal max) =>
        Kind == JsonValueKind.Number && Element.TryGetDecimal(out var value) && value >= min && value <= max
            ? value
            : throw Bad(string.Create(CultureInfo.InvariantCulture, $"must be a number from {min} to {max}"));

    /// <summary>One of <paramref name="choices"/>, or a refusal that lists them.</summary>
    public string OneOf(params ReadOnlySpan<string> choices)
    {
        var text = Text();
        foreach (var choice in choices)
        {
            if (choice == text) return choice;
        }

        throw Bad($"must be one of {string.Join(", ", choices!)}");
    }

    /// <summary>Refuses every member that is not in <paramref name="known"/>, naming it.</summary>
    public void AllowOnly(params ReadOnlySpan<string> known)
    {
        foreach (var (name, value) in Members())
        {
            if (!known.Contains(name)) throw new RefusedException(Refusal.Invalid(value.Path, $"'{value.Path}' is not a field of this request. Known here: {string.Join(", ", known!)}."));
        }
    }

    /// <summary>The value as it stood in the body.</summary>
    public string Raw() => Element.GetRawText();

    public RefusedException Bad(string problem) => new(Refusal.Invalid(Path, $"'{Path}' {problem}; it is {Describe(Kind)}."));

    private bool TryGetWhole(out long value)
    {
        if (Element.TryGetInt64(out value)) return true;
        if (!Element.TryGetDecimal(out var number) || !decimal.IsInteger(number) || number < long.MinValue || number > long.MaxValue) return false;
        value = (long)number;
        return true;
    }

    private string Child(string name) => Path.Length == 0 ? name : $"{Path}.{name}";

    private string NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            throw Bad("has a member whose name holds half of a surrogate pair");
        }
    }

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };

    private static string Explain(JsonException e) => e.Message.Contains("duplicate", StringComparison.OrdinalIgnoreCase)
        ? "The body gives the same field twice; give each once."
        : string.Create(CultureInfo.InvariantCulture, $"The body is not valid JSON (line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1}).");
}
