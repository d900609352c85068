namespace Penstock.Providers.Local;

/// <summary>
/// Picks the sentences that carry most of a text's frequent words, each time discounting what was already said. Linear in the text
/// for each sentence picked.
/// </summary>
internal static class Summary
{
    private const int LeastWords = 4;
    private const double LeadBonus = 1.25;

    /// <summary>At most <paramref name="count"/> sentences, in the order of the text.</summary>
    public static List<string> Of(IReadOnlyList<string> sentences, int count, CancellationToken ct)
    {
        if (sentences.Count <= count) return [.. sentences];
        var stems = new List<HashSet<string>>(sentences.Count);
        var weights = new Dictionary<string, double>();
        foreach (var sentence in sentences)
        {
            ct.ThrowIfCancellationRequested();
            var own = new HashSet<string>();
            foreach (var stem in Words.Stems(sentence))
            {
                weights[stem] = weights.GetValueOrDefault(stem) + 1;
                own.Add(stem);
            }

            stems.Add(own);
        }

        var picked = new SortedSet<int>();
        while (picked.Count < count && Best(stems, weights, picked) is var best and >= 0)
        {
            ct.ThrowIfCancellationRequested();
            picked.Add(best);
            foreach (var stem in stems[best]) weights[stem] *= 0.1;
        }

        return [.. picked.Select(index => sentences[index])];
    }

    private static int Best(List<HashSet<string>> stems, Dictionary<string, double> weights, SortedSet<int> picked)
    {
        var best = -1;
        var top = 0.0;
        for (var i = 0; i < stems.Count; i++)
        {
            if (picked.Contains(i) || stems[i].Count == 0) continue;
            var score = stems[i].Sum(stem => weights[stem]) / Math.Sqrt(Math.Max(stems[i].Count, LeastWords * 2));
            if (i == 0) score *= LeadBonus;
            if (stems[i].Count < LeastWords) score /= 2;
            if (score > top) (best, top) = (i, score);
        }

        return best;
    }
}
