using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;

namespace Penstock.Lambda.Http;

/// <summary>One way in which AWS writes an HTTP request into an event, and wants its answer.</summary>
internal interface IHttpShape
{
    /// <summary>Whether this front can take an answer while it is made.</summary>
    bool MayStream { get; }

    /// <exception cref="EventException">A part that it must have is missing, or is something else.</exception>
    EventRequest Read(JsonElement root);

    /// <summary>Status and headers, within an object that is open.</summary>
    void WriteHead(Utf8JsonWriter json, int status, IHeaderDictionary headers);
}

/// <summary>A request as it came out of an event.</summary>
internal sealed record EventRequest
{
    public required HttpRequestFeature Http { get; init; }

    /// <summary>Of the client, as AWS saw it.</summary>
    public required string? Address { get; init; }

    public required int BodyLength { get; init; }
}

/// <summary>An event that is not what it looks like, or that nothing here takes.</summary>
internal sealed class EventException(string type, string message) : Exception(message)
{
    public string Type => type;

    public static EventException Broken(string what) => new("Penstock.BrokenEvent", what);
}
