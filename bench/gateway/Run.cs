using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;

namespace Penstock.Bench.Gateway;

/// <summary>All measurements: in each round every contender has its turn, so that what else the machine does strikes all alike.</summary>
internal sealed class Run(Options options, Field field)
{
    private const int StreamsPerSecond = 100;
    private const int MostWarming = 8;

    private readonly Wrk _wrk = new(options);
    private readonly Dictionary<string, Results> _results = field.Contenders.ToDictionary(contender => contender.Name, _ => new Results());

    /// <returns>Whether everything was met.</returns>
    public async Task<bool> WholeAsync()
    {
        var cores = options.Cores is { Measured: { } measured, Load: { } load } ? $"what is measured on core {measured}, stand-ins and load on core {load}" : "nothing pinned";
        Say($"{Environment.ProcessorCount} cores, {cores}");
        if (OperatingSystem.IsLinux() && options.Cores.Load is { } core) Pin(core);
        await WarmAsync();
        for (var round = 1; round <= options.Rounds; round++)
        {
            foreach (var contender in field.Contenders) await MeasureAsync(contender, round);
        }

        if (options.Has("streams"))
        {
            foreach (var contender in field.Contenders.Where(contender => contender.Process is not null))
            {
                Say($"{options.Streams} streams, {contender.Name}");
                _results[contender.Name].Streams = await OpenStreams.RunAsync(contender, options.Streams);
                Count(contender, options.Streams);
            }
        }

        foreach (var (server, library) in field.Servers.Zip(options.Servers, (server, named) => (server, named.Library)))
        {
            _results[server.Name].Booked = await BookedAsync(server);
            if (options.Has("start")) _results[server.Name].Starts = await Starts.RunAsync(field, library, options.Starts);
        }

        Console.WriteLine();
        return new Report(options, _results).Print();
    }

    /// <summary>
    /// Code is compiled in the paths that are measured, connections are open, and the stand-ins have seen load. A runtime that compiles as it
    /// goes does so on the core that is measured: each contender is loaded until another turn no longer makes it a tenth faster.
    /// </summary>
    private async Task WarmAsync()
    {
        foreach (var contender in field.Contenders)
        {
            Say($"warming {contender.Name}");
            var best = 0d;
            for (var turn = 1; turn <= MostWarming; turn++)
            {
                var taken = await _wrk.RunAsync(contender, Math.Max(2, options.Seconds));
                CountCutOff(contender, taken.Calls);
                if (turn > 1 && taken.Rps < best * 1.1) break;
                best = Math.Max(best, taken.Rps);
            }

            Count(contender, Pacer.Run(contender, Asked.Whole, options.Rate, options.Seconds).Length);
            Count(contender, Pacer.Run(contender, Asked.Streamed, StreamsPerSecond, options.Seconds).Length);
        }
    }

    private async Task MeasureAsync(Contender contender, int round)
    {
        var result = _results[contender.Name];
        var said = "";
        if (options.Has("saturation"))
        {
            var saturation = await _wrk.RunAsync(contender, options.Seconds);
            result.Saturation.Add(saturation);
            CountCutOff(contender, saturation.Calls);
            said += string.Create(CultureInfo.InvariantCulture, $"  {saturation.Rps:0} a second, p99 {saturation.P99:0.00} ms, {saturation.CpuMicros:0.0} µs a call");
        }

        if (options.Has("rate"))
        {
            var cpu = contender.Process?.CpuSeconds() ?? 0;
            var taken = Pacer.Run(contender, Asked.Whole, options.Rate, options.Seconds);
            result.Rate.Add((Pacer.Percentile(taken, 50), Pacer.Percentile(taken, 99), ((contender.Process?.CpuSeconds() ?? 0) - cpu) * 1e6 / taken.Length));
            Count(contender, taken.Length);
            said += string.Create(CultureInfo.InvariantCulture, $"  at {options.Rate}: p50 {Pacer.Percentile(taken, 50):0.00}, p99 {Pacer.Percentile(taken, 99):0.00} ms");
        }

        if (options.Has("first"))
        {
            var taken = Pacer.Run(contender, Asked.Streamed, StreamsPerSecond, options.Seconds);
            result.First.Add((Pacer.Percentile(taken, 50), Pacer.Percentile(taken, 99)));
            Count(contender, taken.Length);
            said += string.Create(CultureInfo.InvariantCulture, $"  first word: p50 {Pacer.Percentile(taken, 50):0.00}, p99 {Pacer.Percentile(taken, 99):0.00} ms");
        }

        Say($"round {round}  {contender.Name,-9}{said}");
    }

    private async Task<long> BookedAsync(Contender server)
    {
        var booked = 0L;
        for (var look = 0; look < 50; look++)
        {
            (booked, _) = await Field.BookedAsync(server);
            if (booked >= _results[server.Name].Asked) break;
            await Clock.RestAsync(TimeSpan.FromMilliseconds(100));
        }

        return booked;
    }

    private void Count(Contender contender, long calls) => _results[contender.Name].Asked += calls;

    /// <summary>What wrk had sent when its time was up, it hears no answer of; it is booked all the same.</summary>
    private void CountCutOff(Contender contender, long calls)
    {
        Count(contender, calls);
        _results[contender.Name].CutOff += options.Connections;
    }

    [SupportedOSPlatform("linux")]
    private static void Pin(int core)
    {
        using var self = Process.GetCurrentProcess();
        self.ProcessorAffinity = 1 << core;
    }

    private static void Say(string text) => Console.Error.WriteLine(text);
}
