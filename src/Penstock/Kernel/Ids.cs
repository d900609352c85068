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

/// <summary>Where ids and secrets come from. <paramref name="fill"/> is replaced by a seeded source in tests.</summary>
public sealed class IdSource(IdSource.Fill? fill = null)
{
    public delegate void Fill(Span<byte> bytes);

    private readonly Fill _fill = fill ?? RandomNumberGenerator.Fill;

    public RequestId NextRequest() => new(Next("req_"));

    public AttemptId NextAttempt() => new(Next("att_"));

    /// <summary><paramref name="prefix"/> and 96 random bits as lower-case hexadecimal.</summary>
    public string Next(string prefix) => prefix + Hex(12);

    public string Hex(int bytes)
    {
        Span<byte> buffer = stackalloc byte[bytes];
        _fill(buffer);
        return Convert.ToHexStringLower(buffer);
    }
}
