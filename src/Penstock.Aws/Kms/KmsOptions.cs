namespace Penstock.Aws.Kms;

/// <summary>A symmetric key of KMS.</summary>
public sealed record KmsOptions
{
    /// <summary>Its id, its ARN, or an alias such as <c>alias/penstock</c>.</summary>
    public required string KeyId { get; init; }
}
