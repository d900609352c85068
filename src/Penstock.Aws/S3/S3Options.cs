namespace Penstock.Aws.S3;

/// <summary>A bucket of general purpose, which keeps each tenant's blobs in a folder of their own.</summary>
public sealed record S3Options
{
    public required string Bucket { get; init; }
}
