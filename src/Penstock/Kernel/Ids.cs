using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Penstock.Kernel;

/// <summary>The customer whose rows these are. No query crosses it. One person only ever sees <see cref="Default"/>.</summary>
public readonly record struct TenantId(string Value)
{
    public static readonly TenantId Default = new("default");
    public override string ToString() => Value;
}

/// <summary>A named part of a tenant that keys belong to.</summary>
public readonly record struct ProjectId(string Value)
{
    public static readonly ProjectId Default = new("default");
    public override string ToString() => Value;
}

/// <summary>The public part of a virtual key; safe to log.</summary>
public readonly record struct KeyId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>One HTTP request to Penstock; returned as <c>x-request-id</c>.</summary>
public readonly record struct RequestId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>One call to one provider. A request that is retried or falls back makes several.</summary>
public readonly record struct AttemptId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>One run of an agent; <c>run_</c> and 24 hexadecimal digits.</summary>
public readonly record struct RunId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>Where ids and secrets come from. <paramref name="fill"/> is replaced by a seeded source in tests.</summary>
public sealed class IdSource(IdSource.Fill? fill = null)
{
    public delegate void Fill(Span<byte> bytes);

    /// <summary>Bytes of an attempt's id that count, and that are random.</summary>
    private const int Counted = 6;
    private const int Chance = 6;

    private readonly Fill _fill = fill ?? RandomNumberGenerator.Fill;
    private readonly long _first = First(fill ?? RandomNumberGenerator.Fill);
    private long _attempts;

    public RequestId NextRequest() => new(Next("req_"));

    /// <summary>
    /// One that comes after those before it, from a random beginning, with 48 random bits: what is sorted by attempts is written at one end then, and not at
    /// a page of its own for each.
    /// </summary>
    public AttemptId NextAttempt()
    {
        Span<byte> id = stackalloc byte[sizeof(long) + Chance];
        BinaryPrimitives.WriteInt64BigEndian(id, _first + Interlocked.Increment(ref _attempts));
        _fill(id[sizeof(long)..]);
        return new("att_" + Convert.ToHexStringLower(id[(sizeof(long) - Counted)..]));
    }

    /// <summary><paramref name="prefix"/> and 96 random bits as lower-case hexadecimal.</summary>
    public string Next(string prefix) => prefix + Hex(12);

    public string Hex(int bytes)
    {
        Span<byte> buffer = stackalloc byte[bytes];
        _fill(buffer);
        return Convert.ToHexStringLower(buffer);
    }

    private static long First(Fill fill)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        fill(bytes);
        return BinaryPrimitives.ReadInt64BigEndian(bytes);
    }
}
