namespace Penstock.Providers.Local;

/// <summary>What a text yields, found when first asked for. Only its first <see cref="Reach"/> characters are read.</summary>
internal sealed class Findings
{
    public const int Reach = 2_000_000;

    private const int PhraseCount = 12;

    private readonly CancellationToken _ct;
    private readonly Lazy<List<string>> _emails;
    private readonly Lazy<List<string>> _urls;
    private readonly Lazy<List<string>> _dates;
    private readonly Lazy<List<string>> _amounts;
    private readonly Lazy<List<string>> _phones;
    private readonly Lazy<List<string>> _numbers;
    private readonly Lazy<NamedFields> _fields;
    private readonly Lazy<List<string>> _sentences;
    private readonly Lazy<List<string>> _phrases;
    private readonly Lazy<HashSet<string>> _stems;
    private readonly Lazy<Classification> _classification;
    private readonly Dictionary<int, IReadOnlyList<string>> _summaries = [];

    public Findings(string given, CancellationToken ct)
    {
        var text = given.Length > Reach ? given[..(char.IsHighSurrogate(given[Reach - 1]) ? Reach - 1 : Reach)] : given;
        (Text, IsWhole, _ct) = (text, given.Length <= Reach, ct);
        _emails = new Lazy<List<string>>(() => Extraction.Emails(text));
        _urls = new Lazy<List<string>>(() => Extraction.Urls(text));
        _dates = new Lazy<List<string>>(() => Extraction.Dates(text));
        _amounts = new Lazy<List<string>>(() => Extraction.Amounts(text));
        _phones = new Lazy<List<string>>(() => Extraction.Phones(text));
        _numbers = new Lazy<List<string>>(() => Extraction.Numbers(text));
        _fields = new Lazy<NamedFields>(() => new NamedFields(text));
        _sentences = new Lazy<List<string>>(() => Local.Sentences.Of(text, ct));
        _phrases = new Lazy<List<string>>(() => KeyPhrases.Of(text, PhraseCount, ct));
        _stems = new Lazy<HashSet<string>>(() => [.. Words.Stems(text)]);
        _classification = new Lazy<Classification>(() => new Classification(text, ct));
    }

    public string Text { get; }

    /// <summary>False where the text was longer than what was read.</summary>
    public bool IsWhole { get; }

    public IReadOnlyList<string> Emails => _emails.Value;

    public IReadOnlyList<string> Urls => _urls.Value;

    public IReadOnlyList<string> Dates => _dates.Value;

    public IReadOnlyList<string> Amounts => _amounts.Value;

    public IReadOnlyList<string> Phones => _phones.Value;

    public IReadOnlyList<string> Numbers => _numbers.Value;

    public HashSet<string> Stems => _stems.Value;

    public NamedFields Fields => _fields.Value;

    public IReadOnlyList<string> Sentences => _sentences.Value;

    public IReadOnlyList<string> Phrases => _phrases.Value;

    public IReadOnlyList<string> Summary(int count)
    {
        if (!_summaries.TryGetValue(count, out var summary)) _summaries[count] = summary = Local.Summary.Of(Sentences, count, _ct);
        return summary;
    }

    public Verdict Classify(IReadOnlyList<string> labels) => _classification.Value.Of(labels);

    /// <summary>The finds of the shape that <paramref name="words"/> name, such as <c>due</c>, <c>date</c>; null where they name none.</summary>
    public IReadOnlyList<string>? OfShape(IEnumerable<string> words)
    {
        foreach (var word in words)
        {
            switch (Words.Stem(word))
            {
                case "email" or "mail":
                    return Emails;
                case "url" or "link" or "websit" or "homepag" or "uri":
                    return Urls;
                case "date" or "day" or "deadlin" or "when" or "birthday" or "du":
                    return Dates;
                case "amount" or "pric" or "cost" or "total" or "sum" or "fee" or "payment" or "money" or "budget" or "salary":
                    return Amounts;
                case "phon" or "telephon" or "tel" or "mobil" or "fax":
                    return Phones;
            }
        }

        return null;
    }
}
