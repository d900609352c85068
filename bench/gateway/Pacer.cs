namespace Penstock.Bench.Gateway;

/// <summary>
/// Calls at a constant rate, whatever the contender does: an open loop, as <c>wrk2</c> does it. Each of its connections has a thread, which sends at fixed
/// moments; latency counts from the moment at which a call was due, so that a contender that stalls pays for every call it kept waiting.
/// </summary>
internal static class Pacer
{
    /// <summary>Enough that a call of 60 ms delays no other at 1,000 a second.</summary>
    private const int Threads = 64;

    private static long _number = 500_000_000_000;

    /// <returns>Milliseconds of each call, in order of size: to the end of a whole answer, to the first word of a stream.</returns>
    public static double[] Run(Contender contender, Asked how, int rate, int seconds)
    {
        var perThread = rate * seconds / Threads;
        var taken = new double[Threads][];
        var between = TimeSpan.FromSeconds((double)Threads / rate);
        var begin = Clock.Now + TimeSpan.FromMilliseconds(200);
        Exception? failure = null;
        var threads = Enumerable.Range(0, Threads).Select(thread => new Thread(
            () =>
            {
                try
                {
                    taken[thread] = Work(contender, how, begin + (between * ((double)thread / Threads)), between, perThread);
                }
                catch (Exception e)
                {
                    failure = e;
                }
            },
            maxStackSize: 256 * 1024)).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return failure is null ? [.. taken.SelectMany(each => each).Order()] : throw new InvalidOperationException($"{contender.Name}: {failure.Message}", failure);
    }

    public static double Percentile(double[] ordered, double percent) => ordered[Math.Min(ordered.Length - 1, (int)(ordered.Length * percent / 100))];

    private static double[] Work(Contender contender, Asked how, TimeSpan first, TimeSpan between, int count)
    {
        Clock.Precise();
        var taken = new double[count];
        using var connection = new Connection(contender, how);
        for (var i = 0; i < count; i++)
        {
            var due = first + (between * i);
            Clock.SleepUntil(due);
            connection.Send(Interlocked.Increment(ref _number));
            if (how == Asked.Whole) connection.ReadWhole();
            else connection.ReadFirst();
            taken[i] = (Clock.Now - due).TotalMilliseconds;
            if (how != Asked.Whole) connection.ReadRest();
        }

        return taken;
    }
}
