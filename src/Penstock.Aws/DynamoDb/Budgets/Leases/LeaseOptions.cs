namespace Penstock.Aws.DynamoDb.Budgets.Leases;

/// <summary>When slices are taken, and how large.</summary>
internal sealed record LeaseOptions
{
    /// <summary>For how long calls are admitted from a slice; default one second. What is free of it goes back then.</summary>
    public TimeSpan OpenFor { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How much longer than that who would be refused waits for other nodes' slices: a write, and what clocks differ by; default one second.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many calls of one kind within a second make a slice worth its two writes; default 5.</summary>
    public int FromCalls { get; init; } = 5;

    /// <summary>A slice is at most so many calls' need; default 512.</summary>
    public int MostCalls { get; init; } = 512;

    /// <summary>A slice is at most this part of what every hard budget leaves; default a sixteenth. So slices shrink as a cap nears, and end.</summary>
    public int PartOfRest { get; init; } = 16;

    /// <summary>How long a call that ends waits for others of its slice that run, so that one write is for many; default 50 milliseconds.</summary>
    public TimeSpan GatherFor { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How often what is over is given back; default ten times a second.</summary>
    public TimeSpan ReturnEvery { get; init; } = TimeSpan.FromMilliseconds(100);
}
