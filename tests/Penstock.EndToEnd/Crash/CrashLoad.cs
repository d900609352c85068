using System.Collections.Concurrent;
using System.Diagnostics;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Crash;

/// <summary>Clients that call until the server is gone. What they saw is read when all have ended.</summary>
internal sealed class CrashLoad(ServerProcess server, ApiContract contract, IReadOnlyList<string> keys, ulong seed)
{
    private const int Clients = 32;

    /// <summary>A client that was refused does not ask again at once, or there would be nothing but refusals.</summary>
    private static readonly TimeSpan AfterRefusal = TimeSpan.FromMilliseconds(5);

    private readonly ConcurrentBag<CrashResult> _results = [];
    private Task _clients = Task.CompletedTask;
    private volatile bool _ending;

    public void Start() => _clients = Task.WhenAll(Enumerable.Range(0, Clients).Select(client => Task.Run(() => CallAsync(client), Wait.Token)));

    /// <summary>Until so many calls are over; a machine that is busy with other things may take its time, but not for ever.</summary>
    public async Task UntilAsync(int calls, TimeSpan most)
    {
        var started = Stopwatch.GetTimestamp();
        while (_results.Count < calls && !_clients.IsCompleted && Stopwatch.GetElapsedTime(started) < most) await Wait.PauseAsync(TimeSpan.FromMilliseconds(1));
    }

    /// <summary>From here on a connection may break.</summary>
    public void ServerEnds() => _ending = true;

    public async Task<IReadOnlyCollection<CrashResult>> EndAsync()
    {
        await _clients;
        return _results;
    }

    private async Task CallAsync(int client)
    {
        var dice = new Dice(seed * 1000 + (ulong)client);
        var apis = keys.Select(key => new Api(server.Address, contract, key)).ToArray();
        try
        {
            for (var number = 0; !_ending || server.Running; number++)
            {
                var call = CrashCall.Roll((client * 10_000) + number, keys.Count, dice);
                var result = await CrashResult.OfAsync(call, apis[call.Key]);
                Assert.True(result.Fate is not (CallFate.Broken or CallFate.Stopping) || _ending, $"{call} broke though nobody ended the server");
                _results.Add(result);
                if (result.Fate is CallFate.Broken or CallFate.Stopping) return;
                if (result.Fate == CallFate.Refused) await Wait.PauseAsync(AfterRefusal);
            }
        }
        finally
        {
            foreach (var api in apis) api.Dispose();
        }
    }
}
