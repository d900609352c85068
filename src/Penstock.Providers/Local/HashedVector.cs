namespace Penstock.Providers.Local;

/// <summary>
/// A text as a vector of hashed features: its words and the trigrams of their letters, signed, of length 1.
/// Texts that share words or parts of words are close; meaning beyond the letters is not seen.
/// </summary>
internal static class HashedVector
{
    private const float TrigramWeight = 0.35f;
    private const float StopWeight = 0.1f;

    public static float[] Of(string text, int dimensions, CancellationToken ct)
    {
        var counts = new Dictionary<string, int>();
        foreach (var word in Words.Of(text))
        {
            ct.ThrowIfCancellationRequested();
            counts[word] = counts.GetValueOrDefault(word) + 1;
        }

        var vector = new float[dimensions];
        foreach (var (word, count) in counts)
        {
            ct.ThrowIfCancellationRequested();
            var weight = (1 + MathF.Log(count)) * (Words.IsStop(word) ? StopWeight : 1);
            Add(vector, Words.Stem(word), 'w', weight);
            var padded = $" {word} ";
            for (var i = 0; i + 3 <= padded.Length; i++) Add(vector, padded.AsSpan(i, 3), 't', weight * TrigramWeight);
        }

        Normalise(vector, text);
        return vector;
    }

    private static void Normalise(float[] vector, string text)
    {
        // Nothing but signs, or features that cancelled out: the text as a whole is the one feature left.
        if (!vector.AsSpan().ContainsAnyExcept(0f)) Add(vector, text, 'x', 1);
        double squares = 0;
        foreach (var value in vector) squares += (double)value * value;
        var scale = (float)(1 / Math.Sqrt(squares));
        for (var i = 0; i < vector.Length; i++) vector[i] *= scale;
    }

    private static void Add(float[] vector, ReadOnlySpan<char> feature, char kind, float weight)
    {
        // FNV-1a, finished so that its low bits are as good as its high ones. Part of what stored vectors mean: never change it.
        var hash = 14_695_981_039_346_656_037UL ^ kind;
        foreach (var unit in feature) hash = (hash ^ unit) * 1_099_511_628_211UL;
        hash ^= hash >> 33;
        hash *= 0xFF51AFD7ED558CCDUL;
        hash ^= hash >> 33;
        vector[(int)(hash % (uint)vector.Length)] += (hash >> 63) == 0 ? weight : -weight;
    }
}
