using Penstock.Keys;
using Penstock.Prompts;

namespace Penstock.Gateway.Tasks;

/// <summary>The template that a chat call names, put in its place: the system prompt first, then the client's messages, then the template's own.</summary>
internal sealed class TemplateCalls(PromptLibrary prompts)
{
    private const string Field = "template";

    public async ValueTask<ChatCall> ApplyAsync(ChatCall call, Caller caller, CancellationToken ct)
    {
        if (call.Wanted is not { } wanted) return call;
        var template = await prompts.FindAsync(caller.Tenant, wanted.Reference, ct);
        var messages = Messages(template.Render(wanted.Values), call.Messages);
        if (!messages.Exists(message => message.Role != ChatRole.System))
            throw new Kernel.RefusedException(Kernel.Refusal.Invalid("messages", $"'messages' is required: template '{template.Id}' has a system prompt and no user's part."));
        return call with
        {
            Model = wanted.Model ?? template.Model,
            Messages = messages,
            MaxOutputTokens = call.MaxOutputTokens ?? template.MaxOutputTokens,
            ResponseFormat = call.ResponseFormat ?? (template.Schema is { } schema ? new ResponseFormat(template.Name.Replace('.', '_'), schema) : null),
            Template = template.Id,
            Wanted = null,
        };
    }

    public static List<ChatMessage> Messages(RenderedPrompt prompt, IReadOnlyList<ChatMessage> between)
    {
        var messages = new List<ChatMessage>(between.Count + 2);
        if (prompt.System.Length > 0) messages.Add(Message(ChatRole.System, prompt.System));
        messages.AddRange(between);
        if (prompt.User.Length > 0) messages.Add(Message(ChatRole.User, prompt.User));
        return messages;
    }

    private static ChatMessage Message(ChatRole role, string text) => new(role, [new TextPart(text)]) { Path = Field };
}
