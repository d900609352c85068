using System.Diagnostics;
using System.Globalization;

namespace Penstock.Bench.Gateway;

/// <summary>A process that was started here: on which core, how much processor time and memory it takes. It is ended by its own id.</summary>
internal sealed class Running : IAsyncDisposable
{
    /// <summary>Clock ticks a second in <c>/proc</c>, the same on every Linux.</summary>
    private const double TicksPerSecond = 100;

    private readonly Process _process;
    private bool _disposed;

    private Running(ProcessStartInfo start) => _process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} was not started.");

    public bool Ended => _process.HasExited;

    /// <param name="core">Which one it may run on; null for all.</param>
    public static Running Start(string folder, string log, int? core, IEnumerable<KeyValuePair<string, string?>> environment, params string[] command)
    {
        string[] pinned = core is { } only ? ["taskset", "-c", only.ToString(CultureInfo.InvariantCulture), .. command] : command;
        // The shell gives its place to the program, whose output goes into the file without passing through this process.
        var start = new ProcessStartInfo("sh", ["-c", "log=$1; shift; exec \"$@\" >\"$log\" 2>&1", "sh", log, .. pinned]) { WorkingDirectory = folder };
        foreach (var (name, value) in environment)
        {
            if (value is null) start.Environment.Remove(name);
            else start.Environment[name] = value;
        }

        return new Running(start);
    }

    /// <summary>Seconds of processor time so far.</summary>
    public double CpuSeconds()
    {
        var text = File.ReadAllText($"/proc/{_process.Id}/stat");
        var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
    }

    /// <summary>Resident memory now, in MiB.</summary>
    public double MemoryMiB()
    {
        var line = File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }
}
