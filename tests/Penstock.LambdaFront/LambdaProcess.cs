using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;

namespace Penstock.LambdaFront;

/// <summary>The real Lambda host as a process of its own; killed only by its own id.</summary>
internal sealed class LambdaProcess : IAsyncDisposable
{
    private static readonly string Library = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, typeof(LambdaProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "LambdaPath").Value!));

    private readonly Process _process;

    private LambdaProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Note(line.Data);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public ConcurrentQueue<string> Output { get; } = new();

    public bool Running => !_process.HasExited;

    /// <param name="folder">Where it runs, and its penstock.json is.</param>
    public static LambdaProcess Start(string runtimeApi, string folder, IEnumerable<KeyValuePair<string, string?>> environment)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet") { ArgumentList = { Library }, WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        var kept = start.Environment.Where(pair => pair.Key is "PATH" or "HOME" or "TMPDIR" or "LANG" || pair.Key.StartsWith("DOTNET_", StringComparison.Ordinal)).ToArray();
        start.Environment.Clear();
        foreach (var (name, value) in kept) start.Environment[name] = value;
        start.Environment["AWS_LAMBDA_RUNTIME_API"] = runtimeApi;
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new LambdaProcess(Process.Start(start) ?? throw new InvalidOperationException("No process was started."));
    }

    public async Task<int> EndAsync(CancellationToken ct)
    {
        await _process.WaitForExitAsync(ct);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Note(string? line)
    {
        if (line is not null) Output.Enqueue(line);
    }
}
