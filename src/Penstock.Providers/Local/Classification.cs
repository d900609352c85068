namespace Penstock.Providers.Local;

/// <param name="Similarity">0 to 1; 0 where the text shares nothing with any label.</param>
internal readonly record struct Verdict(string Label, double Similarity);

/// <summary>
/// Chooses the label whose words, and words commonly met with it, are nearest to the text: cosine over word stems, weighted by how few labels
/// share them, and over letter trigrams. It sees words, not meaning.
/// </summary>
internal sealed class Classification
{
    private const double TrigramShare = 0.15;

    private static readonly string[] Fallbacks = ["neutral", "other", "unknown", "none", "general", "misc", "miscellaneous", "n/a"];

    /// <summary>Words commonly met with a label, by a stem of the label.</summary>
    private static readonly Dictionary<string, string> Companions = Read("""
        positive: good great excellent love loved loves happy amazing wonderful best thanks thank fantastic perfect awesome nice enjoy pleased delighted recommend fast helpful
        negative: bad terrible awful hate hated worst broken disappointed disappointing poor angry slow never useless refund wrong problem horrible rude waste fail unhappy
        neutral: okay average fine standard
        billing: invoice charge charged refund payment paid card price subscription bill billed receipt money fee credit bank twice
        payment: invoice charge charged refund paid card bank transfer checkout declined
        refund: money back return charged reimburse
        technical: error crash crashes bug fail fails failing install installation login screen slow broken server code exception freeze update app website reset
        bug: error crash crashes broken fail fails exception wrong freeze stack
        sales: buy purchase pricing demo quote plan upgrade offer enterprise trial discount
        account: login password sign signin username profile email reset locked access delete
        shipping: delivery deliver delivered package parcel tracking arrived late courier order address ship shipped
        delivery: package parcel tracking arrived late courier shipped shipping order
        complaint: angry disappointed terrible unacceptable bad refund worst rude late broken never
        praise: thank thanks great love excellent amazing wonderful
        question: how what when where why which who can could does is wondering
        request: please could would add need want feature
        feature: add support would wish like request improvement option
        spam: win winner won prize free click offer lottery cash urgent congratulations claim viagra casino limited
        ham: meeting tomorrow thanks lunch report attached see call
        urgent: asap immediately now emergency critical down outage today deadline
        high: urgent asap immediately critical down outage emergency
        low: whenever minor eventually cosmetic someday
        sport: game team match player goal score league football tennis season coach win
        politics: government election president minister parliament vote party law senate policy
        business: company market shares profit revenue stock bank economy trade deal investor
        technology: software computer phone internet app data device ai chip robot startup
        science: study research scientist space planet experiment physics biology climate
        health: doctor patient hospital disease medicine symptom pain treatment vaccine
        entertainment: film movie music actor singer show album star celebrity
        travel: flight hotel trip airport booking holiday ticket train
        food: restaurant recipe meal cook eat dish dinner taste
        joy: happy glad delighted love great wonderful excited
        anger: angry furious mad hate outraged annoyed
        sadness: sad unhappy cry lonely depressed miss grief
        fear: afraid scared worried anxious terrified
        greeting: hello hi hey morning
        cancel: cancel cancellation stop terminate end unsubscribe
        """);

    private readonly Dictionary<string, double> _words;
    private readonly Dictionary<string, double> _trigrams;
    private readonly double _wordsLength;
    private readonly double _trigramsLength;
    private readonly CancellationToken _ct;

    public Classification(string text, CancellationToken ct)
    {
        _ct = ct;
        _words = Counts(Words.Stems(text));
        _trigrams = Counts(Trigrams(text));
        _wordsLength = Length(_words);
        _trigramsLength = Length(_trigrams);
    }

    /// <summary>The nearest of <paramref name="labels"/>; where nothing is near, a label that says so, else the first.</summary>
    public Verdict Of(IReadOnlyList<string> labels)
    {
        var bags = labels.Select(Bag).ToList();
        var shared = new Dictionary<string, int>();
        foreach (var stem in bags.SelectMany(bag => bag.Keys)) shared[stem] = shared.GetValueOrDefault(stem) + 1;
        var best = new Verdict(labels[0], 0);
        for (var i = 0; i < labels.Count; i++)
        {
            _ct.ThrowIfCancellationRequested();
            var near = Cosine(_words, _wordsLength, bags[i], stem => Math.Log(1 + ((double)labels.Count / shared.GetValueOrDefault(stem, labels.Count))));
            var alike = Cosine(_trigrams, _trigramsLength, Counts(Trigrams(labels[i])), _ => 1);
            var similarity = Math.Clamp(((1 - TrigramShare) * near) + (TrigramShare * alike), 0, 1);
            if (similarity > best.Similarity) best = new Verdict(labels[i], similarity);
        }

        return best.Similarity > 0.02 ? best : new Verdict(labels.FirstOrDefault(label => Fallbacks.Contains(label.ToLowerInvariant())) ?? best.Label, best.Similarity);
    }

    private static Dictionary<string, double> Bag(string label)
    {
        var bag = new Dictionary<string, double>();
        foreach (var word in Words.OfName(label))
        {
            bag[Words.Stem(word)] = 2;
            if (!Companions.TryGetValue(Words.Stem(word), out var companions)) continue;
            foreach (var stem in Words.Of(companions).Select(Words.Stem)) bag.TryAdd(stem, 1);
        }

        return bag;
    }

    private Dictionary<string, double> Counts(IEnumerable<string> features)
    {
        var counts = new Dictionary<string, double>();
        foreach (var feature in features)
        {
            _ct.ThrowIfCancellationRequested();
            counts[feature] = counts.GetValueOrDefault(feature) + 1;
        }

        return counts;
    }

    private static IEnumerable<string> Trigrams(string text)
    {
        foreach (var word in Words.Of(text))
        {
            var padded = $" {word} ";
            for (var i = 0; i + 3 <= padded.Length; i++) yield return padded.Substring(i, 3);
        }
    }

    private static double Length(Dictionary<string, double> counts) => Math.Sqrt(counts.Values.Sum(count => Math.Pow(1 + Math.Log(count), 2)));

    private static double Cosine(Dictionary<string, double> text, double length, Dictionary<string, double> label, Func<string, double> weigh)
    {
        double dot = 0, own = 0;
        foreach (var (feature, count) in label)
        {
            var weight = weigh(feature) * count;
            own += weight * weight;
            if (text.TryGetValue(feature, out var met)) dot += weight * (1 + Math.Log(met));
        }

        return own > 0 && length > 0 ? dot / (Math.Sqrt(own) * length) : 0;
    }

    private static Dictionary<string, string> Read(string table) => table
        .Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line.Split(':', 2))
        .ToDictionary(pair => Words.Stem(pair[0].Trim()), pair => pair[1].Trim());
}
