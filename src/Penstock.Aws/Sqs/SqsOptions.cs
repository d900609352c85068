namespace Penstock.Aws.Sqs;

/// <summary>Two standard queues. The dead-letter queue is written by us, with a reason; a redrive policy between the two is not needed, and does no harm.</summary>
public sealed record SqsOptions
{
    /// <summary>Such as <c>https://sqs.eu-central-1.amazonaws.com/123456789012/penstock-jobs</c>.</summary>
    public required string QueueUrl { get; init; }

    public required string DeadLetterQueueUrl { get; init; }
}
