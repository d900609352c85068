using System.Net.Sockets;

namespace Penstock.Bench.Gateway;

/// <summary>How long a server takes from nothing to its first whole answer, on a data folder that exists already.</summary>
internal static class Starts
{
    /// <returns>Milliseconds, in order of size.</returns>
    public static async Task<double[]> RunAsync(Field field, string library, int count)
    {
        var folder = field.NewServerFolder($"starts-{Ports.Free()}");
        string key;
        var port = Ports.Free();
        await using (var server = field.StartServer(library, folder, port))
        {
            await Ports.OpenAsync(port, server, TimeSpan.FromSeconds(30));
            key = await Field.MakeKeyAsync(port);
        }

        var taken = new List<double>();
        for (var i = 0; i < count; i++)
        {
            port = Ports.Free();
            var began = Clock.Now;
            await using var server = field.StartServer(library, folder, port);
            var contender = new Contender("penstock", port, server, ("whole/gpt-4o-mini", "paced/gpt-4o-mini"), port) { Headers = [new("Authorization", $"Bearer {key}"), new("x-penstock-cache", "on")] };
            AnswerOnce(contender, began + TimeSpan.FromSeconds(30), i);
            taken.Add((Clock.Now - began).TotalMilliseconds);
        }

        return [.. taken.Order()];
    }

    private static void AnswerOnce(Contender contender, TimeSpan until, int number)
    {
        while (true)
        {
            try
            {
                using var connection = new Connection(contender, Asked.Whole);
                connection.Send(700_000_000_000 + number);
                connection.ReadWhole();
                return;
            }
            catch (SocketException) when (Clock.Now < until)
            {
                Clock.SleepUntil(Clock.Now + TimeSpan.FromMilliseconds(1));
            }
        }
    }
}
