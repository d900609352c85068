using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Penstock.Agents;

/// <summary>What a watcher of a run is told: made from what is stored and from nothing else, so that it is the same whenever it is asked for.</summary>
/// <param name="Data">One JSON object on one line.</param>
internal readonly record struct RunEvent(RunCursor Id, string Kind, string Data)
{
    public static RunEvent Of(RunRecord run, JournalEntry entry) => new(new RunCursor(entry.Seq, 0), entry.Kind, Join(entry.Seq, entry.At, entry.Kind switch
    {
        JournalKinds.Started => Started(run, entry.Body),
        JournalKinds.Document => Document(entry.Body),
        _ => entry.Body,
    }));

    public static RunEvent Of(RunChunk chunk) => new(new RunCursor(chunk.Seq, chunk.Sub), JournalKinds.ModelDelta, Join(chunk.Seq, chunk.At, chunk.Body));

    /// <summary>The members of a body behind ours. A line break in JSON stands between two tokens and nowhere else.</summary>
    private static string Join(long seq, DateTimeOffset at, string body)
    {
        var members = body.AsSpan().Trim()[1..^1].Trim();
        var text = new StringBuilder(members.Length + 64);
        text.Append(CultureInfo.InvariantCulture, $"{{\"seq\":{seq},\"at\":\"{at.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ}\"");
        if (!members.IsEmpty) text.Append(',').Append(members);
        return text.Append('}').Replace('\n', ' ').Replace('\r', ' ').ToString();
    }

    /// <summary>Whose run it is, and under which definition; what the operator wrote into that is not shown, nor what a token allowed.</summary>
    private static string Started(RunRecord run, string body)
    {
        using var parsed = JsonDocument.Parse(body);
        return RunJson.Of(json =>
        {
            json.WriteString("run", run.Id.Value);
            json.WriteStartObject("definition");
            json.WriteString("name", run.Agent);
            json.WriteString("version", run.Version);
            json.WriteString("hash", run.Hash);
            json.WriteEndObject();
            foreach (var member in parsed.RootElement.EnumerateObject().Where(member => member.Name is not ("definition" or "authority"))) RunJson.WriteRaw(json, member.Name, member.Value.GetRawText());
        });
    }

    /// <summary>Without the text, which its client has.</summary>
    private static string Document(string body)
    {
        using var parsed = JsonDocument.Parse(body);
        return RunJson.Of(json =>
        {
            foreach (var member in parsed.RootElement.EnumerateObject().Where(member => member.Name != "text")) RunJson.WriteRaw(json, member.Name, member.Value.GetRawText());
            json.WriteNumber("characters", (RunJson.TextOf(parsed.RootElement, "text") ?? "").Length);
        });
    }
}
