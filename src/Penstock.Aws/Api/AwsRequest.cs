namespace Penstock.Aws.Api;

/// <summary>One call, before it is signed.</summary>
/// <param name="Service">As a signature names it.</param>
/// <param name="Path">As it goes out, encoded.</param>
internal sealed record AwsRequest(string Service, HttpMethod Method, Uri Endpoint, string Path)
{
    /// <summary>Not encoded.</summary>
    public IReadOnlyList<(string Name, string Value)> Query { get; init; } = [];

    /// <summary>Beside those that every request has; names in small letters.</summary>
    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    public ReadOnlyMemory<byte> Body { get; init; }

    public string ContentType { get; init; } = "application/octet-stream";

    /// <summary>How long one try may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);
}

internal sealed record AwsAnswer(int Status, ReadOnlyMemory<byte> Body, IReadOnlyDictionary<string, string> Headers)
{
    public bool Succeeded => Status is >= 200 and < 300;
}
