using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>
/// Reads <c>system</c> and <c>messages</c> into one list. A user message that holds tool results becomes one <see cref="ChatRole.Tool"/>
/// message per result, in order, and then a user message with the rest. What cannot be a conversation is refused by name: no message,
/// empty content before the last assistant message, ids given twice, results of calls that were not made.
/// </summary>
internal sealed class AnthropicMessages(List<string> dialectOnly)
{
    private readonly AnthropicBlocks _blocks = new(dialectOnly);
    private readonly List<ChatMessage> _messages = [];
    private readonly HashSet<string> _allCalls = new(StringComparer.Ordinal);
    private readonly HashSet<string> _openCalls = new(StringComparer.Ordinal);
    private ChatRole? _previous;

    public IReadOnlyList<ChatMessage> Read(JsonView? system, JsonView messages)
    {
        if (system is { } instructions) ReadSystem(instructions, instructions.Path, mayBeEmpty: true);
        var count = messages.Count;
        if (count == 0) throw messages.Bad("must hold at least one message");
        var index = 0;
        foreach (var message in messages.Items()) ReadMessage(message, last: ++index == count);
        return _messages;
    }

    private void ReadMessage(JsonView message, bool last)
    {
        // Anthropic's newer models take instructions within a conversation as well as in front of it.
        var role = message.Required("role").OneOf("user", "assistant", "system");
        dialectOnly.NoteUnknown(message, "role", "content");
        var content = message.Required("content");
        switch (role)
        {
            case "system":
                ReadSystem(content, message.Path, mayBeEmpty: false);
                break;
            case "assistant":
                ReadAssistant(content, message.Path, mayBeEmpty: last);
                break;
            default:
                ReadUser(content, message.Path);
                break;
        }
    }

    private void ReadSystem(JsonView content, string path, bool mayBeEmpty)
    {
        var parts = _blocks.ReadSystem(content, mayBeEmpty);
        if (parts.Count > 0) _messages.Add(new ChatMessage(ChatRole.System, parts) { Path = path });
    }

    /// <summary>The last one may be a beginning that the model goes on from, even an empty one.</summary>
    private void ReadAssistant(JsonView content, string path, bool mayBeEmpty)
    {
        var parts = _blocks.ReadAssistant(content, mayBeEmpty);
        // Neighbours of one role count as one turn.
        if (_previous != ChatRole.Assistant) _openCalls.Clear();
        _previous = ChatRole.Assistant;
        for (var i = 0; i < parts.Count; i++)
        {
            if (parts[i] is not ToolCallPart call) continue;
            if (!_allCalls.Add(call.Id)) throw new RefusedException(Refusal.Invalid($"{content.Path}[{i}].id", $"'{content.Path}[{i}].id' is the id of an earlier 'tool_use' block; ids must differ."));
            _openCalls.Add(call.Id);
        }

        if (parts.Count > 0) _messages.Add(new ChatMessage(ChatRole.Assistant, parts) { Path = path });
    }

    private void ReadUser(JsonView content, string path)
    {
        var parts = _blocks.ReadUser(content);
        _previous = ChatRole.User;
        var rest = new List<ChatPart>(parts.Count);
        for (var i = 0; i < parts.Count; i++)
        {
            if (parts[i] is not ToolResultPart result)
            {
                rest.Add(parts[i]);
                continue;
            }

            if (!_openCalls.Remove(result.CallId)) throw Unasked($"{content.Path}[{i}].tool_use_id");
            _messages.Add(new ChatMessage(ChatRole.Tool, [result]) { Path = $"{content.Path}[{i}]" });
        }

        if (rest.Count > 0) _messages.Add(new ChatMessage(ChatRole.User, rest) { Path = path });
    }

    private static RefusedException Unasked(string path) =>
        new(Refusal.Invalid(path, $"'{path}' answers no 'tool_use' block of the assistant message before it, or one that is answered already."));
}
