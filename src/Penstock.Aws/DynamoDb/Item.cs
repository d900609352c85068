using System.Globalization;
using System.Text;
using Amazon.DynamoDBv2.Model;

namespace Penstock.Aws.DynamoDb;

/// <summary>
/// An item's attributes, or an expression's values. What is null is left out, so that it stays apart from zero and empty. Text that is not valid Unicode
/// is refused: as UTF-8 it would become another text.
/// </summary>
internal sealed class Item(Dictionary<string, AttributeValue> attributes)
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public Item()
        : this([])
    {
    }

    public Dictionary<string, AttributeValue> Attributes { get; } = attributes;

    /// <summary>A key of a partition and a sort text.</summary>
    public static Item Key(string pk, string sk) => new Item().Set("pk", pk).Set("sk", sk);

    public Item Copy() => new(new Dictionary<string, AttributeValue>(Attributes));

    public bool Has(string name) => Attributes.ContainsKey(name);

    public Item Set(string name, string? value)
    {
        if (value is null) return this;
        _ = Strict.GetByteCount(value);
        return Put(name, new AttributeValue { S = value });
    }

    public Item Set(string name, long? value) => value is { } number ? Put(name, new AttributeValue { N = number.ToString(CultureInfo.InvariantCulture) }) : this;

    public Item Set(string name, double? value) => value is { } number ? Put(name, new AttributeValue { N = number.ToString("R", CultureInfo.InvariantCulture) }) : this;

    public Item Set(string name, bool value) => Put(name, new AttributeValue { BOOL = value });

    public Item Set(string name, ReadOnlyMemory<byte>? value) => value is { } bytes ? Put(name, new AttributeValue { B = new MemoryStream(bytes.ToArray(), writable: false) }) : this;

    public Item Set(string name, IReadOnlyCollection<string> values)
    {
        foreach (var value in values) _ = Strict.GetByteCount(value);
        return Put(name, new AttributeValue { L = [.. values.Select(value => new AttributeValue { S = value })], IsLSet = true });
    }

    public string Text(string name) => Attributes[name].S;

    public string? TextOrNull(string name) => Attributes.TryGetValue(name, out var value) ? value.S : null;

    public long Long(string name) => Number(Attributes[name]);

    public long? LongOrNull(string name) => Attributes.TryGetValue(name, out var value) ? Number(value) : null;

    public int? IntOrNull(string name) => LongOrNull(name) is { } value ? checked((int)value) : null;

    public double? DoubleOrNull(string name) => Attributes.TryGetValue(name, out var value) ? double.Parse(value.N, CultureInfo.InvariantCulture) : null;

    public bool Flag(string name) => Attributes.TryGetValue(name, out var value) && value.BOOL == true;

    public ReadOnlyMemory<byte>? BytesOrNull(string name) => Attributes.TryGetValue(name, out var value) ? (ReadOnlyMemory<byte>?)value.B.ToArray() : (ReadOnlyMemory<byte>?)null;

    public IReadOnlyList<string> Texts(string name) => Attributes.TryGetValue(name, out var value) && value.L is { } list ? [.. list.Select(text => text.S)] : [];

    private static long Number(AttributeValue value) => long.Parse(value.N, CultureInfo.InvariantCulture);

    private Item Put(string name, AttributeValue value)
    {
        Attributes[name] = value;
        return this;
    }
}
