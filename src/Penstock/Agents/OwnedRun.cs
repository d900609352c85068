using Penstock.Keys;

namespace Penstock.Agents;

/// <summary>A run as its owner has it.</summary>
internal sealed record OwnedRun(RunRecord Record, RunState State, RunJournal Journal, RunLease Lease)
{
    /// <summary>The key it works for, with the envelopes over it; read anew before each step.</summary>
    public required Caller Caller { get; set; }

    /// <summary>The server stops: nothing new is begun.</summary>
    public required CancellationToken Stopping { get; init; }

    /// <summary>The server's time to stop is up: what runs is broken off.</summary>
    public required CancellationToken Cut { get; init; }

    /// <summary>How deep it is below the run that a client started; 0 for that one.</summary>
    public int Depth => Record.Path.Count(c => c == '/');
}
