namespace Penstock.Agents;

/// <summary>How far a call of a tool has come.</summary>
internal enum ToolPhase
{
    /// <summary>The model asks for it.</summary>
    Asked,

    /// <summary>A person is asked.</summary>
    AwaitsApproval,

    /// <summary>It may be called now.</summary>
    Cleared,

    /// <summary>An intent is journaled and its outcome is not: it runs, or its worker died.</summary>
    Intended,

    /// <summary>It was called and nobody knows what became of it; a person is asked.</summary>
    AwaitsOutcome,

    AwaitsTimer,
    AwaitsChild,

    /// <summary>It has a result or has failed for good.</summary>
    Done,
}

/// <summary>One call of a tool that the model asked for.</summary>
/// <param name="id">Ours, unique in the run: a vendor's may come twice.</param>
/// <param name="arguments">As the model wrote them.</param>
internal sealed class ToolTurn(string id, string name, string arguments)
{
    public string Id => id;

    public string Name => name;

    public string Arguments => arguments;

    public ToolPhase Phase { get; set; }

    /// <summary>Intents so far.</summary>
    public int Attempt { get; set; }

    /// <summary>Of the last intent.</summary>
    public string? Effect { get; set; }

    /// <summary>When what it waits for was asked for.</summary>
    public DateTimeOffset Since { get; set; }

    /// <summary>When it stops waiting; null where it does not.</summary>
    public DateTimeOffset? Until { get; set; }

    public bool ApproveOnExpiry { get; set; }

    /// <summary>The run that works for it.</summary>
    public string? Child { get; set; }

    /// <summary>What the model is told.</summary>
    public string Outcome { get; private set; } = "";

    public bool Failed { get; private set; }

    public void End(string outcome, bool failed) => (Phase, Outcome, Failed) = (ToolPhase.Done, outcome, failed);

    /// <summary>Whether it can go on in this worker now.</summary>
    public bool Ready => Phase is ToolPhase.Asked or ToolPhase.Cleared or ToolPhase.Intended;

    /// <summary>Whether a person is asked.</summary>
    public bool AwaitsPerson => Phase is ToolPhase.AwaitsApproval or ToolPhase.AwaitsOutcome;
}
