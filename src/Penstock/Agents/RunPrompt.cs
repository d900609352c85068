using Penstock.Gateway;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>Makes the calls of a run's model from its state.</summary>
internal static class RunPrompt
{
    /// <summary>Characters of a token, on average and rather too few: a prompt must not be longer than it seems.</summary>
    private const int CharactersOfToken = 3;

    private const int SummaryTokens = 1_000;

    /// <summary>Of more documents only the names are shown.</summary>
    private const int DocumentsShown = 50;

    /// <summary>Characters of a document's beginning.</summary>
    private const int DocumentShown = 200;

    public static ChatCall Next(RunRecord run, RunState state, string model, Toolset tools) => new()
    {
        Dialect = Dialect.Native,
        Model = model,
        Messages = [new ChatMessage(ChatRole.System, [new TextPart(System(state))]), .. Given(state), .. state.Messages.Select(said => said.Message)],
        Tools = [.. tools.Offered.Select(tool => new ToolDefinition(tool.Alias, tool.Spec.Description, tool.Spec.Input.ToString()))],
        ResponseFormat = state.Definition.Output is { } schema ? new ResponseFormat(state.Definition.Name.Replace('-', '_'), schema.ToString()) : null,
        MaxOutputTokens = state.Definition.Limits.OutputTokens,
        EndUser = run.EndUser,
        Conversation = run.Conversation,
        Stream = true,
    };

    /// <summary>Where the prompt has become too long, the entry before which all is to be summarised; null where it has not, or where nothing can be left out.</summary>
    public static long? CutAt(RunState state)
    {
        var most = CharactersOf(state.Definition.Context);
        if (state.Size <= most) return null;
        var kept = 0L;
        long? cut = null;
        for (var at = state.Messages.Count - 1; at > 0; at--)
        {
            var said = state.Messages[at];
            kept += said.Size;
            if (kept > most / 2 && cut is not null) return cut;
            // An answer and the outcomes of its calls stay together.
            if (said.Message.Role == ChatRole.Assistant) cut = said.Seq;
        }

        return null;
    }

    /// <summary>Characters of a prompt that is not too long.</summary>
    public static int CharactersOf(AgentContext context) => (int)Math.Min(int.MaxValue, (long)context.MaxTokens * CharactersOfToken);

    /// <summary>Asks for a summary of what was said before <paramref name="to"/>.</summary>
    public static ChatCall Summary(RunRecord run, RunState state, string model, long to)
    {
        var said = string.Join("\n\n", state.Messages.Where(message => message.Seq < to).Select(message => $"{message.Message.Role}: {Text(message.Message)}"));
        return new ChatCall
        {
            Dialect = Dialect.Native,
            Model = model,
            Messages =
            [
                new ChatMessage(ChatRole.System, [new TextPart("Summarise the work below for the one who goes on with it: what was asked, what was found (with names, numbers and sources as they stand), what failed, what is left to do. Do not add anything.")]),
                new ChatMessage(ChatRole.User, [new TextPart(said)]),
            ],
            MaxOutputTokens = SummaryTokens,
            EndUser = run.EndUser,
            Conversation = run.Conversation,
            Stream = true,
        };
    }

    /// <summary>What documents there are: the input is shown without them, and who does not know of them does not search.</summary>
    private static IEnumerable<ChatMessage> Given(RunState state)
    {
        if (state.Documents.Count == 0) yield break;
        yield return new ChatMessage(ChatRole.User, [new TextPart(JsonOutput.Of(json =>
        {
            json.WriteStartArray(RunDocuments.Member);
            foreach (var document in state.Documents)
            {
                json.WriteStartObject();
                json.WriteString("docId", document.DocId);
                if (document.Title is { } title) json.WriteString("title", Begins(title));
                json.WriteNumber("characters", document.Text.Length);
                if (state.Documents.Count <= DocumentsShown) json.WriteString("begins", Begins(document.Text));
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }).GetRawText())]);
    }

    private static string Begins(string text) => text.Length <= DocumentShown ? text : text[..(char.IsHighSurrogate(text[DocumentShown - 1]) ? DocumentShown - 1 : DocumentShown)];

    private static string System(RunState state) => state.Facts.Count == 0
        ? state.Definition.Instructions
        : $"{state.Definition.Instructions}\n\nKnown about the user:\n{string.Join('\n', state.Facts.Select(fact => $"- {fact}"))}";

    private static string Text(ChatMessage message) => string.Join('\n', message.Parts.Select(part => part switch
    {
        TextPart text => text.Text,
        ToolCallPart call => $"calls {call.Name} {call.Arguments}",
        ToolResultPart result => string.Join('\n', result.Content.OfType<TextPart>().Select(text => text.Text)),
        _ => "",
    }));
}
