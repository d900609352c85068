using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Penstock.Prompts;

/// <summary>A value of the front matter and the line it stands on: a text, a list or named members. Exactly one is not null.</summary>
internal sealed record FrontMatterValue(int Line, string? Text, IReadOnlyList<FrontMatterValue>? Items, IReadOnlyList<(string Name, FrontMatterValue Value)>? Members);

/// <summary>
/// Reads the front matter's YAML by the parser's events: no object is made by reflection, every value is text until somebody reads it as something else
/// (<c>no</c> is no boolean and <c>1.10</c> no number), and anchors, aliases and tags are refused.
/// </summary>
internal sealed class FrontMatter
{
    private const int Deepest = 4;

    private readonly Parser _events;
    private readonly int _before;
    private readonly Action<int, string> _fail;

    private FrontMatter(string yaml, int linesBefore, Action<int, string> fail) => (_events, _before, _fail) = (new Parser(new StringReader(yaml)), linesBefore, fail);

    /// <returns>Null where it cannot be read at all.</returns>
    public static FrontMatterValue? Read(string yaml, int linesBefore, Action<int, string> fail)
    {
        var reader = new FrontMatter(yaml, linesBefore, fail);
        try
        {
            reader._events.Consume<StreamStart>();
            if (!reader._events.TryConsume<DocumentStart>(out _))
            {
                fail(linesBefore, "The front matter is empty.");
                return null;
            }

            var root = reader.Value(0);
            reader._events.Consume<DocumentEnd>();
            if (!reader._events.Accept<StreamEnd>(out _)) fail(reader.LineOf(reader._events.Current!.Start), "The front matter is one YAML document; it holds another.");
            if (root.Members is not null) return root;
            fail(root.Line, "The front matter must be 'name: value' lines.");
        }
        catch (YamlException e)
        {
            fail(reader.LineOf(e.Start), $"The front matter is not valid YAML: {e.Message.ReplaceLineEndings(" ")}");
        }

        return null;
    }

    private FrontMatterValue Value(int depth)
    {
        if (depth > Deepest) throw new YamlException(_events.Current!.Start, _events.Current.End, $"values are nested more than {Deepest} deep");
        if (_events.TryConsume<Scalar>(out var scalar))
        {
            Plain(scalar);
            return new FrontMatterValue(LineOf(scalar.Start), scalar.Value, null, null);
        }

        if (_events.TryConsume<SequenceStart>(out var list))
        {
            Plain(list);
            var items = new List<FrontMatterValue>();
            while (!_events.TryConsume<SequenceEnd>(out _)) items.Add(Value(depth + 1));
            return new FrontMatterValue(LineOf(list.Start), null, items, null);
        }

        if (!_events.TryConsume<MappingStart>(out var mapping)) throw new YamlException(_events.Current!.Start, _events.Current.End, "aliases are not read here; write the value out");
        Plain(mapping);
        return new FrontMatterValue(LineOf(mapping.Start), null, null, Members(depth));
    }

    private List<(string, FrontMatterValue)> Members(int depth)
    {
        var members = new List<(string Name, FrontMatterValue Value)>();
        while (!_events.TryConsume<MappingEnd>(out _))
        {
            var name = _events.Consume<Scalar>();
            var value = Value(depth + 1);
            if (members.Exists(member => member.Name == name.Value)) _fail(LineOf(name.Start), $"'{name.Value}' is given twice.");
            else members.Add((name.Value, value with { Line = LineOf(name.Start) }));
        }

        return members;
    }

    private void Plain(NodeEvent node)
    {
        if (!node.Anchor.IsEmpty || (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)) _fail(LineOf(node.Start), "Anchors and tags are not read here; write the value out.");
    }

    private int LineOf(in Mark mark) => _before + (int)mark.Line;
}
