using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Penstock.Agents.Definitions;

/// <summary>
/// Reads one YAML document as the JSON it stands for, by the parser's events: no object is made by reflection. Plain scalars have the types of YAML 1.2's core
/// schema, so that <c>no</c> is a text. Anchors, aliases, tags and names given twice are refused; depth and size are bounded.
/// </summary>
/// <seealso href="https://yaml.org/spec/1.2.2/#103-core-schema"/>
internal sealed partial class YamlText
{
    /// <summary>Less than what the reader of JSON allows.</summary>
    public const int Deepest = 60;

    private const int MostNodes = 50_000;
    private const int LongestNumber = 100;

    private readonly Parser _events;
    private readonly Dictionary<string, int> _lines = new(StringComparer.Ordinal);
    private readonly Action<int, string> _fail;
    private int _nodes;

    private YamlText(string yaml, Action<int, string> fail) => (_events, _fail) = (new Parser(new StringReader(yaml)), fail);

    /// <summary>What it holds, and the line on which each path begins. Null where it cannot be read as one object; what is wrong was told then, with its line.</summary>
    public static (JsonObject Root, IReadOnlyDictionary<string, int> Lines)? Read(string yaml, Action<int, string> fail)
    {
        var reader = new YamlText(yaml, fail);
        try
        {
            return reader.Document() is JsonObject root ? (root, reader._lines) : null;
        }
        catch (YamlException e)
        {
            fail(LineOf(e.Start), $"This is not valid YAML: {e.Message.ReplaceLineEndings(" ")}.");
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException or InvalidOperationException)
        {
            // The parser's own, on input that its grammar did not expect.
            fail(LineOf(reader._events.Current?.Start ?? default), $"This is not valid YAML: {e.Message.ReplaceLineEndings(" ")}");
        }

        return null;
    }

    private JsonNode? Document()
    {
        _events.Consume<StreamStart>();
        if (!_events.TryConsume<DocumentStart>(out _))
        {
            _fail(1, "The file is empty.");
            return null;
        }

        var root = Value("", 0);
        _events.Consume<DocumentEnd>();
        if (!_events.Accept<StreamEnd>(out _)) throw At(_events.Current!, "one file is one document, and here begins another");
        if (root is not JsonObject) _fail(1, "The file must hold named members, such as 'name: research'.");
        return root;
    }

    private JsonNode? Value(string path, int depth)
    {
        if (_events.Accept<AnchorAlias>(out var alias)) throw At(alias, "aliases are not read here; write the value out");
        if (!_events.Accept<NodeEvent>(out var node)) throw At(_events.Current!, "a value is missing");
        if (!node.Anchor.IsEmpty || (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)) throw At(node, "anchors and tags are not read here; write the value out, and put a text that looks like something else in quotes");
        if (depth > Deepest) throw At(node, string.Create(CultureInfo.InvariantCulture, $"values are nested more than {Deepest} deep"));
        if (++_nodes > MostNodes) throw At(node, string.Create(CultureInfo.InvariantCulture, $"the document holds more than {MostNodes} values"));
        _lines.TryAdd(path, LineOf(node.Start));
        if (_events.TryConsume<Scalar>(out var scalar)) return scalar.Style == ScalarStyle.Plain ? Plain(scalar) : Text(scalar);
        return _events.TryConsume<SequenceStart>(out _) ? List(path, depth) : Members(path, depth);
    }

    private JsonArray List(string path, int depth)
    {
        var list = new JsonArray();
        while (!_events.TryConsume<SequenceEnd>(out _)) list.Add(Value(string.Create(CultureInfo.InvariantCulture, $"{path}[{list.Count}]"), depth + 1));
        return list;
    }

    private JsonObject Members(string path, int depth)
    {
        _events.Consume<MappingStart>();
        var members = new JsonObject();
        while (!_events.TryConsume<MappingEnd>(out _))
        {
            if (!_events.Accept<Scalar>(out var name)) throw At(_events.Current!, "the name of a member must be a text");
            if (!name.Anchor.IsEmpty || !name.Tag.IsEmpty) throw At(name, "anchors and tags are not read here");
            _events.Consume<Scalar>();
            var here = path.Length == 0 ? name.Value : $"{path}.{name.Value}";
            _lines.TryAdd(here, LineOf(name.Start));
            var value = Value(here, depth + 1);
            if (!IsText(name.Value)) throw At(name, "it holds half of a surrogate pair, which is no text");
            if (!members.TryAdd(name.Value, value)) _fail(LineOf(name.Start), $"'{here}' is given twice.");
        }

        return members;
    }

    private static JsonValue Text(Scalar scalar) => IsText(scalar.Value) ? JsonValue.Create(scalar.Value) : throw At(scalar, "it holds half of a surrogate pair, which is no text");

    private static JsonNode? Plain(Scalar scalar)
    {
        var text = scalar.Value;
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "true" or "True" or "TRUE":
                return JsonValue.Create(true);
            case "false" or "False" or "FALSE":
                return JsonValue.Create(false);
        }

        if (NoNumber().IsMatch(text)) throw At(scalar, $"{text} is a number that JSON does not have; put it in quotes where a text is meant");
        var number = Number().Match(text);
        if (!number.Success) return Text(scalar);
        if (text.Length > LongestNumber) throw At(scalar, string.Create(CultureInfo.InvariantCulture, $"the number has more than {LongestNumber} digits; put it in quotes where a text is meant"));
        return JsonNode.Parse(Written(number, scalar));
    }

    /// <summary>As JSON writes it: no plus, no leading zeros, a digit on both sides of the point, and no base but ten.</summary>
    private static string Written(Match number, Scalar scalar)
    {
        if (number.Groups["other"].Success)
        {
            var digits = number.Value[2..];
            var (most, style) = number.Value[1] == 'x' ? (15, 16) : (20, 8);
            if (digits.TrimStart('0').Length > most) throw At(scalar, "the number is too large");
            return Convert.ToInt64(digits, style).ToString(CultureInfo.InvariantCulture);
        }

        var sign = number.Value[0] == '-' ? "-" : "";
        var whole = number.Groups["whole"].Value.TrimStart('0');
        var fraction = number.Groups["fraction"].Value;
        return $"{sign}{(whole.Length == 0 ? "0" : whole)}{(fraction.Length == 0 ? "" : "." + fraction)}{number.Groups["exponent"].Value}";
    }

    private static bool IsText(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])) return false;
            i++;
        }

        return true;
    }

    private static YamlException At(ParsingEvent where, string problem) => new(where.Start, where.End, problem);

    private static int LineOf(in Mark mark) => Math.Max(1, (int)mark.Line);

    [GeneratedRegex(@"^[-+]?\.(?:inf|Inf|INF)\z|^\.(?:nan|NaN|NAN)\z", RegexOptions.CultureInvariant)]
    private static partial Regex NoNumber();

    [GeneratedRegex(
        @"^(?:(?<other>0o[0-7]+|0x[0-9a-fA-F]+)|[-+]?(?:(?<whole>[0-9]+)(?:\.(?<fraction>[0-9]*))?|\.(?<fraction>[0-9]+))(?<exponent>[eE][-+]?[0-9]+)?)\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Number();
}
