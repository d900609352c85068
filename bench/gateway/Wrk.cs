using System.Diagnostics;
using System.Globalization;

namespace Penstock.Bench.Gateway;

/// <summary>What a contender did with as many calls as it could take.</summary>
/// <param name="P50">Milliseconds.</param>
/// <param name="CpuMicros">Processor time of the contender per call, in microseconds.</param>
/// <param name="Busy">Part of one core that the contender used.</param>
internal sealed record Saturation(long Calls, double Rps, double P50, double P99, double CpuMicros, double Busy);

/// <summary>Saturation by <c>wrk</c>: a closed loop, each connection sends its next call as soon as it has the last answer.</summary>
internal sealed class Wrk(Options options)
{
    private static long _first;

    public async Task<Saturation> RunAsync(Contender contender, int seconds)
    {
        var (head, tail) = Sample.Request(contender, Asked.Whole);
        var start = new ProcessStartInfo(options.Wrk) { RedirectStandardOutput = true };
        if (options.Cores.Load is { } core)
        {
            start.FileName = "taskset";
            foreach (var word in new[] { "-c", core.ToString(CultureInfo.InvariantCulture), options.Wrk }) start.ArgumentList.Add(word);
        }

        foreach (var word in new[] { "-t1", $"-c{options.Connections}", $"-d{seconds}s", "--timeout", "10s", "-s", Path.Combine(AppContext.BaseDirectory, "wrk.lua"), $"http://127.0.0.1:{contender.Port}{Sample.Path}" }) start.ArgumentList.Add(word);
        start.Environment["BENCH_HEAD"] = head;
        start.Environment["BENCH_TAIL"] = tail;
        start.Environment["BENCH_FIRST"] = Interlocked.Add(ref _first, 100_000_000).ToString(CultureInfo.InvariantCulture);

        var (cpu, began) = (contender.Process?.CpuSeconds() ?? 0, Clock.Now);
        using var wrk = Process.Start(start)!;
        var output = await wrk.StandardOutput.ReadToEndAsync();
        await wrk.WaitForExitAsync();
        return Read(contender, output, (contender.Process?.CpuSeconds() ?? 0) - cpu, Clock.Now - began);
    }

    private static Saturation Read(Contender contender, string output, double cpu, TimeSpan took)
    {
        var line = output.Split('\n').FirstOrDefault(line => line.StartsWith("RESULT ", StringComparison.Ordinal)) ?? throw new InvalidOperationException($"wrk said nothing of {contender.Name}:\n{output}");
        var numbers = line.Split(' ')[1..].Select(each => long.Parse(each, CultureInfo.InvariantCulture)).ToArray();
        var (calls, micros, p50, p99, refused, broken) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]);
        if (refused + broken > 0 || calls == 0) throw new InvalidOperationException($"{contender.Name}: {calls} answers, {refused} of them errors, {broken} broken connections.");
        return new Saturation(calls, calls * 1e6 / micros, p50 / 1e3, p99 / 1e3, cpu * 1e6 / calls, cpu / took.TotalSeconds);
    }
}
