using System.Security.Cryptography;

namespace Penstock.Aws.DynamoDb.Ledger;

/// <summary>
/// Numbers that grow: the clock in milliseconds, and ten bits that tell apart what happens within one. Every balance keeps the number of its last
/// entry and takes none below it, so that along each balance the numbers are the order in which the entries were written, whichever node wrote them
/// (Lamport's clock). They stay below 2^53, which every JSON reader can hold.
/// </summary>
internal sealed class Numbers(TimeProvider time)
{
    private const int Bits = 10;

    private readonly Lock _lock = new();
    private long _last;

    public long Next() => Next(1);

    /// <summary>The first of so many that follow one another.</summary>
    public long Next(int count)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow().ToUnixTimeMilliseconds() << Bits;
            // Two nodes that begin in the same millisecond begin at different numbers.
            var first = Math.Max(_last + 1, now + (_last < now ? RandomNumberGenerator.GetInt32(1 << (Bits - 1)) : 0));
            _last = first + count - 1;
            return first;
        }
    }

    /// <summary>Another node was here; what comes next is above.</summary>
    public void Observe(long number)
    {
        lock (_lock) _last = Math.Max(_last, number);
    }
}
