using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Penstock.Bench.Gateway;

/// <param name="Before">Resident MiB of the contender before, and the most while all streams were open.</param>
internal sealed record StreamMemory(double Before, double Open);

/// <summary>Many streams at once, a word a second each, and the contender's memory meanwhile.</summary>
internal static class OpenStreams
{
    /// <summary>How long all of them are open together, in looks at the memory, one a quarter of a second.</summary>
    private const int Looks = 40;

    public static async Task<StreamMemory> RunAsync(Contender contender, int count)
    {
        var before = contender.Process!.MemoryMiB();
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var begun = 0;
        var streams = Enumerable.Range(0, count).Select(number => ReadAsync(contender, number, () =>
        {
            if (Interlocked.Increment(ref begun) == count) first.SetResult();
        }, stop.Token)).ToList();
        var all = Task.WhenAll(streams);
        await await Task.WhenAny(first.Task, all);

        var most = 0.0;
        for (var look = 0; look < Looks; look++)
        {
            most = Math.Max(most, contender.Process.MemoryMiB());
            await Clock.RestAsync(TimeSpan.FromMilliseconds(250));
        }

        if (streams.Exists(stream => stream.IsCompleted)) throw new InvalidOperationException($"{contender.Name}: a stream ended before all were measured.");
        await all;
        return new StreamMemory(before, most);
    }

    private static async Task ReadAsync(Contender contender, int number, Action begun, CancellationToken ct)
    {
        var (head, tail) = Sample.Request(contender, Asked.Slowly);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, contender.StreamPort, ct);
        await socket.SendAsync(Encoding.UTF8.GetBytes(head + (900_000_000_000 + number).ToString("D12", System.Globalization.CultureInfo.InvariantCulture) + tail), ct);
        var buffer = new byte[32 * 1024];
        var (length, heard) = (0, false);
        while (true)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(length), ct);
            if (read == 0) throw new IOException($"{contender.Name} closed a stream after: {Encoding.UTF8.GetString(buffer.AsSpan(0, length))}");
            length += read;
            if (!heard && buffer.AsSpan(0, length).IndexOf(Sample.FirstWord) >= 0)
            {
                heard = true;
                begun();
            }

            if (buffer.AsSpan(0, length).IndexOf(Sample.Last) >= 0) return;
        }
    }
}
