namespace Penstock.Aws.DynamoDb;

/// <summary>Where the tables are. Credentials come from AWS's standard chain.</summary>
public sealed record DynamoOptions
{
    /// <summary>Such as <c>eu-central-1</c>; null for what the AWS environment says.</summary>
    public string? Region { get; init; }

    /// <summary>Another endpoint than the region's own, such as an emulator's.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Stands before every table's name.</summary>
    public string TablePrefix { get; init; } = "";

    /// <summary>Create the tables at the start where they are missing. Off where a template creates them.</summary>
    public bool CreateTables { get; init; }

    /// <summary>
    /// Take slices of budgets and admit calls from them in memory where many come, so that budgets are written a few times a second and not for each call.
    /// Off by default. The same on all servers of a store, or on some: it is each one's own.
    /// </summary>
    public bool LeaseBudgets { get; init; }
}
