using System.Security.Cryptography;

namespace Penstock.Aws.DynamoDb;

/// <summary>Waits of a random length below a bound that doubles, so that writers who met once do not meet again.</summary>
/// <param name="most">After which no more is tried, however few the tries were; null for no such bound.</param>
internal sealed class Backoff(TimeProvider time, TimeSpan? most = null)
{
    /// <summary>More than any burst on one item needs; past it the store is not keeping up.</summary>
    public const int MostTries = 40;

    private const int FirstMilliseconds = 4;
    private const int LongestMilliseconds = 400;

    private readonly long _start = time.GetTimestamp();

    public int Tries { get; private set; }

    /// <summary>False where enough was tried.</summary>
    public async ValueTask<bool> WaitAsync(CancellationToken ct)
    {
        if (++Tries >= MostTries || time.GetElapsedTime(_start) > most) return false;
        var bound = Math.Min(LongestMilliseconds, FirstMilliseconds << Math.Min(Tries, 8));
        await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(1, bound + 1)), time, ct);
        return true;
    }
}

/// <summary>DynamoDB cannot be reached, or not all of its tables are there.</summary>
public sealed class DynamoUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The store was too busy, for longer than waiting helps. Nothing was changed, or it is not known: the operation may be tried again.</summary>
public sealed class DynamoBusyException(string message, Exception? inner = null) : Exception(message, inner);
