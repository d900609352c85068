using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.Gateway;
using Penstock.Providers.Local;

namespace Penstock.Providers.Simulated;

/// <summary>
/// Tool calls that the system text and the user's messages write down: <c>[[tool search {"query": "dams"}]]</c> is one call, and with <c>x20</c> before the
/// brackets close twenty at once. Those of a line are made at once, each line after the results of the one before; then comes the text. <c>{{i}}</c> is the
/// number of the call, from 1. What names a tool that is not offered is passed over.
/// </summary>
internal static partial class ScriptedCalls
{
    private const int MostCalls = 20_000;

    private const string Number = "{{i}}";

    /// <summary>The calls to make now; none where all are made. Throws where what is written down is not JSON.</summary>
    public static IReadOnlyList<MadeCall> Next(ChatCall call)
    {
        if (call.Tools.Count == 0 || call.ToolChoice?.Kind == ToolChoiceKind.None) return [];
        var made = call.Messages.Sum(message => message.Parts.OfType<ToolCallPart>().Count());
        var offered = call.Tools.Select(tool => tool.Name).ToHashSet();
        var script = call.Messages.Where(message => message.Role is ChatRole.System or ChatRole.User).SelectMany(message => Texts(message.Text())).SelectMany(text => text.Split('\n'))
            .SelectMany((line, number) => Of(line).Where(one => offered.Contains(one.Name)).Select(one => (Line: number, Call: one))).Take(MostCalls).Skip(made).ToList();
        if (script.Count == 0) return [];
        var next = script.TakeWhile(one => one.Line == script[0].Line).Select((one, index) => one.Call with { Arguments = one.Call.Arguments.Replace(Number, (made + index + 1).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal) }).ToList();
        if (call.ToolChoice is { Kind: ToolChoiceKind.Named, Name: { } named }) next.RemoveAll(one => one.Name != named);
        return call.ParallelToolCalls == false ? [.. next.Take(1)] : next;
    }

    /// <summary>The text itself, or every text in it where it is JSON.</summary>
    private static IEnumerable<string> Texts(string text) => AgentTask.ObjectOf(text) is { } input ? Leaves(input) : [text];

    private static IEnumerable<string> Leaves(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Object => value.EnumerateObject().SelectMany(member => Leaves(member.Value)),
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Leaves),
        _ => [],
    };

    private static IEnumerable<MadeCall> Of(string line)
    {
        foreach (Match head in Head().Matches(line))
        {
            var rest = line[(head.Index + head.Length)..];
            var (arguments, length) = Json(rest, head);
            var tail = Tail().Match(rest[length..]);
            if (!tail.Success) throw Broken(head, "must end with ]], or with x and a number from 1 to 1000 and ]]");
            var times = tail.Groups[1].Success ? int.Parse(tail.Groups[1].Value, CultureInfo.InvariantCulture) : 1;
            for (var i = 0; i < times; i++) yield return new MadeCall(head.Groups[1].Value, arguments);
        }
    }

    private static (string Arguments, int Length) Json(string text, Match head)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var reader = new Utf8JsonReader(bytes, isFinalBlock: false, default);
        try
        {
            if (JsonDocument.TryParseValue(ref reader, out var document))
            {
                using (document)
                {
                    if (document.RootElement.ValueKind == JsonValueKind.Object) return (document.RootElement.GetRawText(), Encoding.UTF8.GetCharCount(bytes.AsSpan(0, (int)reader.BytesConsumed)));
                }
            }
        }
        catch (JsonException)
        {
            // Told below.
        }

        throw Broken(head, "must have the arguments as a JSON object behind the tool's name");
    }

    private static ProviderException Broken(Match head, string problem) =>
        new(ProviderFault.Rejected, $"The scripted call '{head.Value.Trim()}' {problem}, such as [[tool search {{\"query\": \"dams\"}}]].", 400, "invalid_script", "messages");

    [GeneratedRegex(@"\[\[tool\s+([A-Za-z0-9_.-]{1,128})\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Head();

    [GeneratedRegex(@"^\s*(?:x([1-9][0-9]{0,2}|1000)\s*)?\]\]", RegexOptions.CultureInvariant)]
    private static partial Regex Tail();
}
