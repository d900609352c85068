using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>What a client asks for when it starts a run; whether it may is not looked at yet.</summary>
internal sealed record RunRequest
{
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(55);

    /// <summary>Name of the definition.</summary>
    public required string Type { get; init; }

    /// <summary>A text or an object.</summary>
    public required JsonView Input { get; init; }

    /// <summary>Null leaves all that the definition has.</summary>
    public IReadOnlyList<JsonView>? Tools { get; init; }

    /// <summary>Null leaves the definition's.</summary>
    public JsonView? Model { get; init; }

    public JsonView? Limits { get; init; }

    public string? Conversation { get; init; }

    public string? EndUser { get; init; }

    /// <summary>How long to wait for its end; null for the configured time.</summary>
    public TimeSpan? Wait { get; init; }

    public static RunRequest Read(JsonView body)
    {
        body.AllowOnly("type", "input", "tools", "model", "limits", "conversation", "user", "wait");
        var input = body.Required("input");
        if (input.Kind is not (JsonValueKind.String or JsonValueKind.Object)) throw input.Bad("must be a text or an object");
        return new RunRequest
        {
            Type = RunNames.Label(body.Required("type")),
            Input = input,
            Tools = body.Optional("tools")?.Items().ToList(),
            Model = body.Optional("model"),
            Limits = body.Optional("limits"),
            Conversation = body.Optional("conversation") is { } conversation ? RunNames.Label(conversation) : null,
            EndUser = body.Optional("user") is { } user ? RunNames.Label(user) : null,
            Wait = body.Optional("wait") is { } wait ? TimeSpan.FromSeconds(wait.Number(0, LongestWait.TotalSeconds)) : null,
        };
    }
}
