using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Penstock.Tools.Mcp;

/// <summary>An MCP server as a child process. It sees of our environment only what it is given, and dies with its session.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private const int LongestLine = 500;
    private static readonly TimeSpan ExitWithin = TimeSpan.FromSeconds(2);

    private readonly Process _process;
    private readonly TimeProvider _time;
    private readonly Task _complaints;

    private ServerProcess(Process process, McpServerOptions options, TimeProvider time, ILogger log)
    {
        (_process, _time) = (process, time);
        Output = new BoundedLines(process.StandardOutput.BaseStream, options.MaxBytes);
        _complaints = CopyComplaintsAsync(process, options, log);
    }

    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>Fails where a line is longer than allowed.</summary>
    public Stream Output { get; }

    public int Id => _process.Id;

    /// <exception cref="IOException">It cannot be started.</exception>
    public static ServerProcess Start(McpServerOptions options, TimeProvider time, ILogger log)
    {
        var start = new ProcessStartInfo(options.Command!, options.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        var passed = options.PassEnvironment.Select(name => (name, Environment.GetEnvironmentVariable(name))).ToArray();
        start.Environment.Clear();
        foreach (var (name, value) in passed)
        {
            if (value is not null) start.Environment[name] = value;
        }

        foreach (var (name, value) in options.Environment) start.Environment[name] = value;
        try
        {
            return new ServerProcess(Process.Start(start)!, options, time, log);
        }
        catch (Win32Exception e)
        {
            throw new IOException($"the program '{options.Command}' cannot be started", e);
        }
    }

    /// <summary>Closes its input, which asks it to end; what has not ended a moment later is killed, with all that it started.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await _process.StandardInput.BaseStream.DisposeAsync();
        }
        catch (IOException)
        {
            // It is gone already.
        }

        await _process.WaitForExitAsync().WaitAsync(ExitWithin, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync().WaitAsync(ExitWithin, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _complaints.WaitAsync(ExitWithin, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _process.Dispose();
    }

    /// <summary>Read to the end, because a process that nobody listens to stops.</summary>
    private static async Task CopyComplaintsAsync(Process process, McpServerOptions options, ILogger log)
    {
        var buffer = new char[LongestLine];
        for (int length; (length = await process.StandardError.ReadAsync(buffer)) > 0;)
        {
            var text = new string(buffer, 0, length).ReplaceLineEndings(" ");
            LogComplaint(log, options.Name, text);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "MCP server {Server} says: {Text}")]
    private static partial void LogComplaint(ILogger log, string server, string text);
}
