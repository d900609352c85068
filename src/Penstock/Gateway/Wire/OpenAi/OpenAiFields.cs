using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>What every part of the request reader needs.</summary>
internal static class OpenAiFields
{
    private const int LongestPath = 200;

    /// <summary>
    /// Lists the members of <paramref name="view"/> that are not in <paramref name="known"/>. Null, [] and {} ask for nothing:
    /// clients send back an answer's message as they got it, empty <c>annotations</c> and all.
    /// </summary>
    public static void ListUnknown(JsonView view, List<string> dialectOnly, params ReadOnlySpan<string> known)
    {
        foreach (var (name, value) in view.Members())
        {
            if (!known.Contains(name) && !SaysNothing(value)) List(value, dialectOnly);
        }
    }

    public static void List(JsonView value, List<string> dialectOnly) => dialectOnly.Add(Brief(value.Path));

    public static bool SaysNothing(JsonView value) => value.Kind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.Array => value.Element.GetArrayLength() == 0,
        JsonValueKind.Object => value.Element.GetPropertyCount() == 0,
        _ => false,
    };

    /// <summary>Names come from the client and may be as long as its body; what is repeated to it is not.</summary>
    public static string Brief(string text) => text.Length <= LongestPath ? text : string.Concat(text.AsSpan(0, LongestPath), "…");

    public static string ShortText(JsonView value, int longest)
    {
        var text = value.NonEmptyText();
        return JsonView.CountUpTo(text, longest) <= longest ? text : throw Refuse(value, $"'{value.Path}' has more than {longest} characters; at most {longest} are taken.");
    }

    public static JsonView Object(JsonView value) => value.Kind == JsonValueKind.Object ? value : throw value.Bad("must be an object");

    public static RefusedException Refuse(JsonView at, string message) => new(Refusal.Invalid(at.Path, message));
}
