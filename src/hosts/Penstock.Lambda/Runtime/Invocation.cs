namespace Penstock.Lambda.Runtime;

/// <summary>One event that this function is to answer.</summary>
/// <param name="Id">Lambda's request id, which its answer names.</param>
/// <param name="Deadline">When Lambda ends the process, answered or not.</param>
internal sealed record Invocation(string Id, DateTimeOffset Deadline, ReadOnlyMemory<byte> Payload);
