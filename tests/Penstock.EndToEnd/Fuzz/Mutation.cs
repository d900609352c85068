using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Fuzz;

/// <summary>A hostile body: bytes, and what they are said to be.</summary>
internal sealed record HostileBody(byte[] Bytes, string ContentType);

/// <summary>Makes a hostile body of a valid one: damage to its structure, its values or its bytes.</summary>
internal sealed class Mutation(Dice dice)
{
    private static readonly string[] Types = ["application/json", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/json; charset=utf-16", "\u0001", "*/*"];

    private static readonly string[] Texts =
    [
        "", " ", "\0", "\0\0a", "\ud83d\ude00", "\u202e", "null", "true", "-1", "1e999", "NaN", "../../etc/passwd", "'; DROP TABLE ledger;--", "{{7*7}}", "${jndi:ldap://x}", "<script>", "\r\nx-injected: 1",
        "gpt-4o-mini", "claude-haiku-4-5", "local", "simulated", "openai/", "/", "openai/gpt-4o-mini", "text-embedding-3-small", "data:image/png;base64,AAAA", "data:,", "http://[::1", "%00", "[[status:500]]", "[[cut]]",
    ];

    private static readonly string[] Literals =
    [
        "1e400", "-1e400", "0.1e-400", "99999999999999999999999999999999999999", "-0", "1.0", "2147483648", "9223372036854775808", "\"\\ud800\"", "\"\\udc00x\"", "\"\\u0000\"", "{\"\\ud800\":1}", "[[[[[[[[]]]]]]]]",
        "{\"a\":1,\"a\":2}", "tru", "NaN", "Infinity", "'x'", "01", "[1,]", "{\"a\":}", "/*c*/1", "\"\u0001\"", "\"\\x\"",
    ];

    public HostileBody Of(string valid)
    {
        var bytes = dice.Below(20) switch
        {
            0 => dice.Bytes(dice.Below(300)),
            1 => Encoding.UTF8.GetBytes(valid)[..dice.Below(valid.Length)],
            2 => Flipped(Encoding.UTF8.GetBytes(valid)),
            3 => Literal(valid),
            4 => Nested(valid),
            5 => Doubled(valid),
            6 => Encoding.Unicode.GetBytes(valid),
            _ => Restructured(valid),
        };
        return new HostileBody(bytes, dice.Percent(94) ? Types[0] : dice.Pick(Types));
    }

    public string Text() => dice.Pick(Texts);

    private byte[] Flipped(byte[] bytes)
    {
        for (var i = dice.Below(8) + 1; i > 0; i--) bytes[dice.Below(bytes.Length)] = (byte)dice.Next();
        return bytes;
    }

    /// <summary>Something that no writer of JSON would write in place of a value.</summary>
    private byte[] Literal(string valid)
    {
        var colon = valid.IndexOf(':', dice.Below(valid.Length));
        return Encoding.UTF8.GetBytes(colon < 0 ? dice.Pick(Literals) : $"{valid[..(colon + 1)]}{dice.Pick(Literals)}{(dice.Percent(50) ? "," + valid[(valid.IndexOf('"') is var quote && quote >= 0 ? quote : 0)..] : "}")}");
    }

    private byte[] Nested(string valid)
    {
        var depth = dice.Pick(10, 62, 63, 64, 65, 1_000, 20_000);
        var deep = dice.Percent(50) ? new string('[', depth) + new string(']', depth) : string.Concat(Enumerable.Repeat("{\"a\":", depth)) + "1" + new string('}', depth);
        var colon = valid.IndexOf(':', dice.Below(valid.Length));
        return Encoding.UTF8.GetBytes(colon < 0 || dice.Percent(20) ? deep : $"{valid[..(colon + 1)]}{deep}}}");
    }

    private byte[] Doubled(string valid)
    {
        var body = Encoding.UTF8.GetBytes(valid);
        return dice.Percent(50) ? [.. body, .. body] : Encoding.UTF8.GetBytes(valid[..^1] + "," + valid[1..]);
    }

    private byte[] Restructured(string valid)
    {
        var root = JsonNode.Parse(valid)!;
        for (var i = dice.Pick(1, 1, 1, 2, 3); i > 0; i--) Change(root);
        return JsonSerializer.SerializeToUtf8Bytes(root, JsonSerializerOptions.Web);
    }

    private void Change(JsonNode root)
    {
        var places = new List<(JsonNode Parent, string? Name, int Index)>();
        Collect(root, places);
        if (places.Count == 0) return;
        var (parent, name, index) = dice.Pick(places);
        if (parent is JsonObject members)
        {
            if (dice.Percent(30)) members.Remove(name!);
            else if (dice.Percent(15)) members[Text() + dice.Below(9)] = Value(0);
            else members[name!] = Value(0);
        }
        else if (parent is JsonArray items)
        {
            if (dice.Percent(30)) items.RemoveAt(index);
            else if (dice.Percent(20)) items.Add(items[index]?.DeepClone());
            else items[index] = Value(0);
        }
    }

    private static void Collect(JsonNode node, List<(JsonNode, string?, int)> places)
    {
        if (node is JsonObject members)
        {
            foreach (var (name, value) in members)
            {
                places.Add((node, name, 0));
                if (value is not null) Collect(value, places);
            }
        }
        else if (node is JsonArray items)
        {
            for (var i = 0; i < items.Count; i++)
            {
                places.Add((node, null, i));
                if (items[i] is { } item) Collect(item, places);
            }
        }
    }

    private JsonNode? Value(int depth) => dice.Below(depth > 2 ? 8 : 11) switch
    {
        0 => null,
        1 => JsonValue.Create(dice.Percent(50)),
        2 => JsonValue.Create((long)dice.Next()),
        3 => JsonValue.Create(dice.Pick(0, -1, 1, int.MaxValue, int.MinValue, 100_000)),
        4 => JsonValue.Create(dice.Pick(0.5, -0.5, 1e300, double.Epsilon, 2.0000001)),
        5 => JsonValue.Create(new string(dice.Pick('a', '\u00e9', ' ', '"', '\\'), dice.Pick(1, 64, 65, 257, 20_000))),
        6 or 7 => JsonValue.Create(Text()),
        8 => new JsonArray([.. Enumerable.Range(0, dice.Below(4)).Select(_ => Value(depth + 1))]),
        9 => new JsonObject(Enumerable.Range(0, dice.Below(4)).Select(i => KeyValuePair.Create(Text() + i, Value(depth + 1)))),
        _ => new JsonObject { ["type"] = Text(), ["text"] = Value(depth + 1) },
    };
}
