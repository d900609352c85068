using System.Text.Json;

namespace Penstock.EndToEnd.Golden;

/// <summary>
/// Where client and provider speak one dialect, every byte is kept but for what is listed here. This holds whatever the goldens say.
/// </summary>
internal static class Kept
{
    /// <summary>The model is the target's; the cap is the target's where that is lower; we ask for usage.</summary>
    private static readonly string[] Ours = ["model", "max_tokens", "max_completion_tokens", "stream_options"];

    public static void Check(HttpText asked, HttpText heard, HttpText answered, HttpText received)
    {
        Assert.Equal(Members(asked.Body), Members(heard.Body));
        // A failure is told in our own words.
        if (received.Start != "200") return;
        if (!received.Header("content-type").StartsWith("text/event-stream", StringComparison.Ordinal)) Assert.Equal(answered.Body, received.Body);
        else Assert.Equal(Events(answered.Body), Events(received.Body));
    }

    /// <summary>In order, each as it is written.</summary>
    private static string[] Members(string body)
    {
        using var parsed = JsonDocument.Parse(body);
        return [.. parsed.RootElement.EnumerateObject().Where(member => !Ours.Contains(member.Name)).Select(member => member.ToString())];
    }

    /// <summary>
    /// Names and data as they are written, up to an error, which we tell in our own words. The usage we asked for in place of the client is
    /// not among them, nor comments, which are no events.
    /// </summary>
    private static string[] Events(string stream) =>
        [.. stream.Split("\n\n").TakeWhile(entry => !entry.Contains("\"error\":", StringComparison.Ordinal)).Where(entry => entry.Length > 0 && entry[0] != ':' && !IsUsage(entry))];

    private static bool IsUsage(string entry) => entry.Contains("\"choices\":[]", StringComparison.Ordinal) && entry.Contains("\"usage\":{", StringComparison.Ordinal);
}
