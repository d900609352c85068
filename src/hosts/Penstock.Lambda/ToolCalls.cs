using System.Text.Json;
using Penstock.Lambda.Events;
using Penstock.Lambda.Http;

namespace Penstock.Lambda;

/// <summary>A function that is one tool: it answers calls of that tool and nothing else.</summary>
internal sealed class ToolCalls(LambdaOptions options, IServiceProvider services)
{
    /// <summary>True where this function is a tool.</summary>
    public bool Only => options.Tool is not null;

    public Task<ReadOnlyMemory<byte>> AnswerAsync(EventForm form, JsonElement root, ReadOnlyMemory<byte> payload, CancellationToken over)
    {
        if (form == EventForm.Tool) return services.RunToolAsync(options.Tool!, payload, over);
        throw new EventException("Penstock.UnknownEvent", $"This function is the tool '{options.Tool}' and takes its calls only; it was sent {EventForms.Describe(root)}.");
    }
}
