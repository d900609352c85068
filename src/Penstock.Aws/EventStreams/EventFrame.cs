namespace Penstock.Aws.EventStreams;

/// <summary>One message of a stream of type <c>application/vnd.amazon.eventstream</c>, as far as we read it.</summary>
/// <param name="MessageType"><c>event</c>, <c>exception</c> or <c>error</c>.</param>
/// <param name="Name">Type of the event or exception, or the error's code.</param>
/// <param name="ErrorMessage">Of an <c>error</c>, whose payload is empty.</param>
internal sealed record EventFrame(string MessageType, string Name, string? ErrorMessage, ReadOnlyMemory<byte> Payload);
