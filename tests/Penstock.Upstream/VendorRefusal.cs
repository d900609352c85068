namespace Penstock.Upstream;

/// <summary>The vendor's "no": becomes an error body in its own shape.</summary>
internal sealed class VendorRefusal(int status, string type, string message, string? param = null, string? code = null) : Exception(message)
{
    public int Status { get; } = status;
    public string Type { get; } = type;
    public string? Param { get; } = param;
    public string? Code { get; } = code;
}
