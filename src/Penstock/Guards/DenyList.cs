using System.Text;

namespace Penstock.Guards;

/// <summary>Words and phrases, found as whole words, whatever their case, their accents and the blanks between their words.</summary>
internal sealed class DenyList
{
    /// <summary>More blanks than these are no longer a space between words.</summary>
    private const int MostBlanks = 8;

    private readonly Node _root = new();

    public DenyList(IEnumerable<string> phrases)
    {
        foreach (var phrase in phrases) Add(Symbols(phrase));
    }

    /// <summary>A phrase as it is compared: empty where it has nothing that is seen.</summary>
    public static string Symbols(string phrase)
    {
        var symbols = new StringBuilder(phrase.Length);
        for (var i = 0; i < phrase.Length; i++)
        {
            var pair = char.IsHighSurrogate(phrase[i]) && i + 1 < phrase.Length && char.IsLowSurrogate(phrase[i + 1]);
            var symbol = pair ? Fold.Of(phrase[i], phrase[++i]) : Fold.Of(phrase[i]);
            if (symbol == Fold.Invisible) continue;
            if (!Fold.IsBlank(symbol)) symbols.Append(symbol);
            else if (symbols.Length > 0 && symbols[^1] != ' ') symbols.Append(' ');
        }

        return symbols.ToString().TrimEnd();
    }

    public int Find(in Window window)
    {
        var node = _root.Next(window.Symbols[0]);
        if (node is null || (Fold.IsWord(window.Previous) && Fold.IsWord(window.Symbols[0]))) return Finding.None;

        var cursor = new Cursor(window);
        cursor.Skip();
        var (found, last) = (0, window.Symbols[0]);
        while (true)
        {
            if (node.Ends && !(Fold.IsWord(last) && Fold.IsWord(cursor.Peek()))) found = cursor.At;
            if (node.IsLeaf) break;
            last = cursor.Peek();
            var blank = Fold.IsBlank(last);
            if (node.Next(blank ? ' ' : last) is not { } next) break;
            node = next;
            cursor.Skip();
            if (blank && !SkipBlanks(ref cursor)) break;
        }

        return cursor.Found(found);
    }

    private static bool SkipBlanks(ref Cursor cursor)
    {
        for (var more = 1; more < MostBlanks; more++)
        {
            if (!Fold.IsBlank(cursor.Peek())) return true;
            cursor.Skip();
        }

        return !Fold.IsBlank(cursor.Peek());
    }

    private void Add(string symbols)
    {
        var node = _root;
        foreach (var symbol in symbols) node = node.Grow(symbol);
        node.Ends = node != _root;
    }

    private sealed class Node
    {
        private readonly Dictionary<char, Node> _next = [];

        public bool Ends { get; set; }

        public bool IsLeaf => _next.Count == 0;

        public Node? Next(char symbol) => _next.GetValueOrDefault(symbol);

        public Node Grow(char symbol)
        {
            if (!_next.TryGetValue(symbol, out var node)) _next[symbol] = node = new Node();
            return node;
        }
    }
}
