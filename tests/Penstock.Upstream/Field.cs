using System.Text.Json;

namespace Penstock.Upstream;

/// <summary>How a vendor names fields and words its complaints about them.</summary>
internal abstract class Wording
{
    public abstract string Child(string path, string name);
    public abstract string Item(string path, int index);
    public abstract VendorRefusal Missing(string path);
    public abstract VendorRefusal Unknown(string path, bool topLevel);
    public abstract VendorRefusal WrongType(string path, JsonValueKind wanted, bool whole, JsonElement got);
    public abstract VendorRefusal OutOfRange(string path, bool whole, double min, double max, double got);
    public abstract VendorRefusal NotOneOf(string path, string got, ReadOnlySpan<string> choices);
    public abstract VendorRefusal TooManyItems(string path, int max, int got);
    public abstract VendorRefusal NoItems(string path);
    public abstract VendorRefusal Invalid(string path, string message);
}

/// <summary>A JSON value on its path; every reader refuses in the vendor's words. <c>null</c> counts as not given.</summary>
internal readonly record struct Field(JsonElement Value, string Path, Wording Wording)
{
    public JsonValueKind Kind => Value.ValueKind;

    public Field? Optional(string name) =>
        Object().Value.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null
            ? new Field(found, Wording.Child(Path, name), Wording)
            : null;

    public Field Required(string name) => Optional(name) ?? throw Wording.Missing(Wording.Child(Path, name));

    public Field Object() => Expect(JsonValueKind.Object);

    public IReadOnlyList<Field> Items(int min = 0, int max = int.MaxValue)
    {
        Expect(JsonValueKind.Array);
        var wording = Wording;
        var path = Path;
        Field[] items = [.. Value.EnumerateArray().Select((item, index) => new Field(item, wording.Item(path, index), wording))];
        if (items.Length < min) throw Wording.NoItems(Path);
        return items.Length <= max ? items : throw Wording.TooManyItems(Path, max, items.Length);
    }

    public string Text() => Expect(JsonValueKind.String).Value.GetString()!;

    public bool Flag() => Kind is JsonValueKind.True or JsonValueKind.False ? Kind == JsonValueKind.True : throw Wording.WrongType(Path, JsonValueKind.True, false, Value);

    public int Whole(int min, int max)
    {
        Expect(JsonValueKind.Number, whole: true);
        if (!Value.TryGetInt64(out var number)) throw Wording.WrongType(Path, JsonValueKind.Number, true, Value);
        return number >= min && number <= max ? (int)number : throw Wording.OutOfRange(Path, true, min, max, number);
    }

    public double Number(double min, double max)
    {
        var number = Expect(JsonValueKind.Number).Value.GetDouble();
        return number >= min && number <= max ? number : throw Wording.OutOfRange(Path, false, min, max, number);
    }

    public string OneOf(params ReadOnlySpan<string> choices)
    {
        var text = Text();
        return choices.Contains(text) ? text : throw Wording.NotOneOf(Path, text, choices);
    }

    /// <summary>Refuses the first member that is not in <paramref name="known"/>.</summary>
    public Field Only(params ReadOnlySpan<string> known)
    {
        foreach (var member in Object().Value.EnumerateObject())
        {
            if (!known.Contains(member.Name)) throw Wording.Unknown(Wording.Child(Path, member.Name), Path.Length == 0);
        }

        return this;
    }

    public VendorRefusal Bad(string message) => Wording.Invalid(Path, message);

    private Field Expect(JsonValueKind kind, bool whole = false) => Kind == kind ? this : throw Wording.WrongType(Path, kind, whole, Value);
}
