using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>
/// Whether a conversation is one that a vendor would take: each tool call is followed by its result before anything else is said, and each result has its call.
/// The in-process providers are as strict, so that what works with them works elsewhere.
/// </summary>
internal static class History
{
    /// <summary>Throws <see cref="ProviderFault.Rejected"/> that names the call and where it stands.</summary>
    public static void Check(ChatCall call)
    {
        var open = new List<(string Id, string Path)>();
        for (var i = 0; i < call.Messages.Count; i++)
        {
            var message = call.Messages[i];
            var results = message.Parts.OfType<ToolResultPart>().ToList();
            foreach (var result in results.Where(result => open.RemoveAll(one => one.Id == result.CallId) == 0))
                throw Broken($"The tool result of '{result.CallId}' in {call.PathOf(i)} follows no call of that id, or its call was answered before.", call.PathOf(i));
            if (results.Count == message.Parts.Count && results.Count > 0) continue;
            if (open.Count > 0) throw Unanswered(open[0]);
            foreach (var made in message.Parts.OfType<ToolCallPart>())
            {
                if (open.Exists(one => one.Id == made.Id)) throw Broken($"The tool call '{made.Id}' stands twice in {call.PathOf(i)}.", call.PathOf(i));
                open.Add((made.Id, call.PathOf(i)));
            }
        }

        if (open.Count > 0) throw Unanswered(open[0]);
    }

    private static ProviderException Unanswered((string Id, string Path) call) =>
        Broken($"The tool call '{call.Id}' in {call.Path} has no result: a tool message with its id must follow before anything else.", call.Path);

    private static ProviderException Broken(string message, string path) => new(ProviderFault.Rejected, message, 400, "invalid_history", path);
}
