using System.Text;
using Penstock.Guards;
using Penstock.Kernel;

namespace Penstock.Tests.Guards;

/// <summary>Texts under guard rules, whole and in pieces.</summary>
internal static class Guarded
{
    public const string Everything = """{"email": "mask", "card": "mask", "phone": "mask", "ssn": "mask", "deny": {"names": {"phrases": ["Project Falcon", "café au lait", "机密", "bad", "a b c d e"], "action": "mask"}}}""";

    public static GuardRules Rules(string settings = Everything)
    {
        var section = new GuardSection();
        return new GuardPlans(section).For(new KeyId("k"), KeyGuards.Read(JsonView.Parse(Encoding.UTF8.GetBytes(settings)))).Out;
    }

    public static string Whole(string text, string settings = Everything) => new GuardScan(Rules(settings), new GuardTally(_ => { })).Whole(text);

    public static string Pieces(GuardRules rules, string text, IEnumerable<int> lengths)
    {
        var scan = new GuardScan(rules, new GuardTally(_ => { }));
        var output = new StringBuilder();
        foreach (var piece in Cut(text, lengths)) output.Append(scan.Piece(piece));
        return output.Append(scan.Take(final: true)).ToString();
    }

    public static IEnumerable<string> Cut(string text, IEnumerable<int> lengths)
    {
        var at = 0;
        foreach (var length in lengths)
        {
            if (at + length >= text.Length) break;
            yield return text.Substring(at, length);
            at += length;
        }

        yield return text[at..];
    }
}
