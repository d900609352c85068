namespace Penstock.Aws.Api;

/// <summary>What a service of AWS refused, or that it could not be reached.</summary>
/// <param name="code">AWS's own, such as <c>AccessDeniedException</c>; <c>Unreachable</c> and <c>TimedOut</c> are ours.</param>
/// <param name="status">0 where there was no answer.</param>
public sealed class AwsException(string service, string code, string message, int status, Exception? inner = null) : Exception($"{service}: {code}: {message}", inner)
{
    public string Code { get; } = code;

    public int Status { get; } = status;
}
