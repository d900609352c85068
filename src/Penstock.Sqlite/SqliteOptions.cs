namespace Penstock.Sqlite;

/// <summary>Where the embedded store keeps its file.</summary>
public sealed record SqliteOptions
{
    /// <summary>Folder of <c>penstock.db</c>, on a local disk; made for the owner alone (mode 0700) where it is missing. Default <c>data</c>.</summary>
    public string DataFolder { get; init; } = "data";
}
