using System.Buffers.Binary;
using System.Security.Cryptography;
using Penstock.Kernel;

namespace Penstock.Gateway.Routing;

/// <summary>Where chance comes from. <paramref name="fill"/> is replaced by a seeded source in tests.</summary>
internal sealed class Chance(IdSource.Fill? fill = null)
{
    private readonly IdSource.Fill _fill = fill ?? RandomNumberGenerator.Fill;

    /// <summary>From 0 to below 1.</summary>
    public double Next()
    {
        Span<byte> bytes = stackalloc byte[8];
        _fill(bytes);
        return (BinaryPrimitives.ReadUInt64LittleEndian(bytes) >> 11) * (1.0 / (1UL << 53));
    }
}
