namespace Penstock.Http;

/// <summary>The largest body that any route reads now, in bytes. Whoever reads a body before its route does may hold no more.</summary>
internal sealed class LargestBody(Func<long> bytes)
{
    public long Bytes => bytes();
}
