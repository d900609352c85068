namespace Penstock.Providers.Local;

/// <summary>Runs of words between stop words and punctuation, the most telling first (rapid automatic keyword extraction).</summary>
internal static class KeyPhrases
{
    private const int LongestPhrase = 4;
    private const int MostCandidates = 50_000;

    public static List<string> Of(string text, int count, CancellationToken ct)
    {
        var phrases = Candidates(text, ct);
        var frequency = new Dictionary<string, int>();
        var degree = new Dictionary<string, int>();
        foreach (var phrase in phrases)
        {
            foreach (var word in phrase.Words)
            {
                frequency[word] = frequency.GetValueOrDefault(word) + 1;
                degree[word] = degree.GetValueOrDefault(word) + phrase.Words.Count;
            }
        }

        return [.. phrases
            .GroupBy(phrase => string.Join(' ', phrase.Words))
            .Select(same => (same.First().Shown, Score: same.First().Words.Sum(word => (double)degree[word] / frequency[word]) * (1 + Math.Log(same.Count()))))
            .OrderByDescending(phrase => phrase.Score)
            .Take(count)
            .Select(phrase => phrase.Shown)];
    }

    private static List<(string Shown, List<string> Words)> Candidates(string text, CancellationToken ct)
    {
        var phrases = new List<(string, List<string>)>();
        var words = new List<string>();
        int from = 0, to = 0;
        for (int at = 0, end; at < text.Length && phrases.Count < MostCandidates; at = end)
        {
            end = at + 1;
            if (!char.IsLetterOrDigit(text[at]))
            {
                if (text[at] is not (' ' or '-' or '\'')) Close();
                continue;
            }

            while (end < text.Length && end - at < 64 && (char.IsLetterOrDigit(text[end]) || (text[end] is '+' or '#'))) end++;
            var word = text[at..end].ToLowerInvariant();
            if (Words.IsStop(word) || words.Count == LongestPhrase) Close();
            if (Words.IsStop(word)) continue;
            if (words.Count == 0) from = at;
            words.Add(word);
            to = end;
        }

        Close();
        return phrases;

        void Close()
        {
            ct.ThrowIfCancellationRequested();
            if (words.Count > 0 && words.Exists(word => word.Length > 1 && !char.IsAsciiDigit(word[0]))) phrases.Add((text[from..to], [.. words]));
            words.Clear();
        }
    }
}
