namespace Penstock.Providers.Local;

/// <summary>Fields a text names itself: <c>Order number: A-77</c>, <c>My name is Ann Lee</c>, <c>order number A-77</c>.</summary>
internal sealed class NamedFields
{
    private const int MostFields = 2_000;
    private const int LongestKey = 40;
    private const int LongestValue = 500;

    /// <summary>How far spoken fields are looked for: a schema may ask for thousands.</summary>
    private const int SpokenReach = 200_000;

    private static readonly string[] Links = ["is", "are", "was", "number", "no", "id", "of", "called"];

    private readonly string _text;
    private readonly List<(HashSet<string> Key, string Shown, string Value)> _fields = [];

    public NamedFields(string text)
    {
        _text = text.Length > SpokenReach ? text[..SpokenReach] : text;
        foreach (var line in text.Split('\n'))
        {
            if (_fields.Count >= MostFields) break;
            ReadLine(line);
        }
    }

    public IReadOnlyList<(string Key, string Value)> All() => _fields.ConvertAll(found => (found.Shown, found.Value));

    /// <summary>The value of the field whose name shares the most words with <paramref name="name"/>; null where none does.</summary>
    public string? Find(IReadOnlyList<string> name)
    {
        var wanted = name.Select(Words.Stem).ToHashSet();
        var best = _fields
            .Select(found => (found.Value, Shared: found.Key.Count(wanted.Contains), found.Key.Count))
            .Where(found => found.Shared > 0 && found.Shared * 2 >= wanted.Count && found.Shared * 2 >= found.Count)
            .OrderByDescending(found => found.Shared * 2.0 / (wanted.Count + found.Count))
            .FirstOrDefault();
        return best.Value ?? Spoken(name);
    }

    private void ReadLine(string line)
    {
        var open = false;
        foreach (var part in line.Split([';', ','], StringSplitOptions.TrimEntries))
        {
            var colon = part.IndexOfAny([':', '=']);
            if (colon > 0 && IsKey(part.AsSpan(0, colon), out var key) && (colon + 1 == part.Length || part[colon + 1] != '/'))
            {
                if (_fields.Count >= MostFields) return;
                open = true;
                _fields.Add(([.. Words.Of(key).Select(Words.Stem)], key, Cut(part[(colon + 1)..].Trim())));
            }
            else if (open && part.Length > 0 && _fields[^1].Value.Length < LongestValue)
            {
                _fields[^1] = _fields[^1] with { Value = Cut(_fields[^1].Value.Length > 0 ? $"{_fields[^1].Value}, {part}" : part) };
            }
        }
    }

    private static bool IsKey(ReadOnlySpan<char> text, out string key)
    {
        var trimmed = text.Trim().TrimStart("-*•# ");
        key = "";
        if (trimmed.Length is 0 or > LongestKey || !char.IsLetter(trimmed[0])) return false;
        foreach (var unit in trimmed)
        {
            if (!char.IsLetterOrDigit(unit) && unit is not (' ' or '_' or '-' or '#' or '.' or '\'')) return false;
        }

        key = trimmed.ToString();
        return true;
    }

    /// <summary>The name as the text speaks it, with what follows where that looks like a value: a name or something with a digit.</summary>
    private string? Spoken(IReadOnlyList<string> name)
    {
        var phrase = string.Join(' ', name);
        if (phrase.Length < 2) return null;
        for (int at = 0, tries = 0; tries < 8 && (at = _text.IndexOf(phrase, at, StringComparison.OrdinalIgnoreCase)) >= 0; tries++)
        {
            var begins = at == 0 || !char.IsLetterOrDigit(_text[at - 1]);
            at += phrase.Length;
            if (begins && After(at) is { } value) return value;
        }

        return null;
    }

    private string? After(int at)
    {
        var rest = _text.AsSpan(at, Math.Min(120, _text.Length - at));
        var end = rest.IndexOfAny('\n', ';', '!');
        if (end >= 0) rest = rest[..end];
        var value = new List<string>();
        foreach (var word in rest.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var bare = word.Trim(',', '.', ':', '#', '=', '"', '\'', '(', ')', '?');
            if (value.Count == 0 && (bare.Length == 0 || Links.Contains(bare))) continue;
            if (bare.Any(char.IsAsciiDigit) && value.Count == 0) return bare;
            if (bare.Length == 0 || !char.IsUpper(bare[0]) || value.Count == 4) break;
            value.Add(bare);
            if (word[^1] is ',' or '.' or '?' or ')') break;
        }

        return value.Count > 0 ? string.Join(' ', value) : null;
    }

    private static string Cut(string value) => value.Length <= LongestValue ? value : value[..(char.IsHighSurrogate(value[LongestValue - 1]) ? LongestValue - 1 : LongestValue)];
}
