using System.Globalization;

namespace Penstock.EndToEnd.Crash;

/// <summary>
/// The server is killed without a word, again and again, and no money is lost or made. <c>PENSTOCK_CRASH_KILLS</c> (5) says how often,
/// <c>PENSTOCK_CRASH_SEED</c> by which chance; <c>bench/crash.sh</c> does it 200 times.
/// </summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("PENSTOCK_CRASH_KILLS") ?? "5", CultureInfo.InvariantCulture);
    private static readonly ulong Seed = ulong.Parse(Environment.GetEnvironmentVariable("PENSTOCK_CRASH_SEED") ?? "20261125", CultureInfo.InvariantCulture);

    [Fact]
    public async Task A_server_killed_under_load_loses_no_settle_leaks_no_hold_and_passes_no_cap()
    {
        await using var run = new CrashRun(Kills, Seed, output.WriteLine);
        await run.RunAsync();
    }
}
