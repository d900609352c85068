using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using Penstock.Kernel;

namespace Penstock.Tools.Mcp;

/// <summary>
/// Keeps one MCP server connected: opens it, lists its tools, lists them again when they change, and opens it again, later each time, when it ended or does not
/// answer any more. Its tools stay known while it is away.
/// </summary>
internal sealed partial class McpServer : IAsyncDisposable
{
    private static readonly TimeSpan OpenWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(8) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _logs;
    private readonly ILogger _log;
    private readonly Task _running;
    private volatile McpSession? _session;
    private volatile IReadOnlyList<ITool> _tools = [];

    public McpServer(McpServerOptions options, TimeProvider time, ILoggerFactory logs)
    {
        (Options, _time, _logs, _log) = (options, time, logs, logs.CreateLogger<McpServer>());
        _running = RunAsync();
    }

    public McpServerOptions Options { get; }

    public IReadOnlyList<ITool> Tools => _tools;

    /// <summary>Where it is connected.</summary>
    public bool Ready => _session is not null;

    /// <exception cref="RefusedException">It is away, or went away.</exception>
    public async Task<CallToolResult> CallAsync(McpTool tool, string name, JsonElement arguments, CancellationToken ct)
    {
        var session = _session ?? throw ToolRefusals.NotThere(tool.Spec, $"the MCP server '{Options.Name}' is not connected");
        try
        {
            return await session.CallAsync(name, arguments, ct);
        }
        catch (McpProtocolException e)
        {
            throw new RefusedException(new Refusal(RefusalKind.Unprocessable, ToolRefusals.Refused, FormattableString.Invariant($"The MCP server '{Options.Name}' refused the call of '{name}' with {(int)e.ErrorCode}.")));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            Suspect();
            throw;
        }
        catch (Exception e) when (e is not RefusedException)
        {
            // Whatever a session throws when its other side is gone.
            LogCallFailed(e, tool.Spec.Name);
            Suspect();
            throw ToolRefusals.Failed(tool.Spec, $"the MCP server '{Options.Name}' broke off");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        for (var failures = 0; !_stop.IsCancellationRequested; failures++)
        {
            var began = _time.GetTimestamp();
            try
            {
                await SessionAsync();
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // A server is not ours: whatever it does ends its session and nothing else.
                var why = e.Message;
                LogEnded(Options.Name, why.Length > 300 ? why[..300] : why);
            }

            if (_time.GetElapsedTime(began) > LongestPause) failures = 0;
            var pause = TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, 0.5 * Math.Pow(2, Math.Min(failures, 10))));
            await Task.Delay(pause, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SessionAsync()
    {
        using var limit = new CancellationTokenSource(OpenWithin, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        await using var session = await McpSession.OpenAsync(Options, () => _wakes.Writer.TryWrite(true), _time, _logs, both.Token);
        await ListAsync(session);
        _session = session;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        try
        {
            while (true)
            {
                var wake = _wakes.Reader.ReadAsync(ending.Token).AsTask();
                await Task.WhenAny(wake, session.Ended);
                if (session.Ended.IsCompleted) throw new IOException("it ended");
                if (await wake) await ListAsync(session);
                else await InTimeAsync(session.PingAsync);
            }
        }
        finally
        {
            _session = null;
            // A reader left behind would take what is meant for the next session.
            await ending.CancelAsync();
        }
    }

    /// <summary>A call took too long or failed: a server that does not answer at all is opened anew.</summary>
    private void Suspect() => _wakes.Writer.TryWrite(false);

    private async Task ListAsync(McpSession session)
    {
        IReadOnlyList<Tool> listed = [];
        await InTimeAsync(async ct => listed = await session.ListAsync(ct));
        var tools = new List<ITool>();
        foreach (var tool in listed.Where(tool => Options.Tools.Count == 0 || Options.Tools.Any(pattern => NamePattern.Fits(pattern, tool.Name))))
        {
            if (!IsName(tool.Name) || tools.Exists(other => other.Spec.Name == $"{Options.Name}.{tool.Name}"))
            {
                LogLeftOut(Options.Name, "(unusable name)", "its name is none, or is there twice");
                continue;
            }

            try
            {
                tools.Add(McpTool.Of(this, tool));
            }
            catch (RefusedException e)
            {
                LogLeftOut(Options.Name, tool.Name, e.Refusal.Message);
            }
        }

        _tools = tools;
        LogListed(Options.Name, tools.Count);
    }

    private async Task InTimeAsync(Func<CancellationToken, Task> work)
    {
        using var limit = new CancellationTokenSource(AnswerWithin, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        try
        {
            await work(both.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            throw new IOException($"it did not answer within {AnswerWithin.TotalSeconds} s");
        }
    }

    private static bool IsName(string name) => name.Length is > 0 and <= 128 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/');

    [LoggerMessage(Level = LogLevel.Information, Message = "MCP server {Server} is connected; it has {Tools} tools that can be called")]
    private partial void LogListed(string server, int tools);

    [LoggerMessage(Level = LogLevel.Warning, Message = "MCP server {Server} is not connected: {Why}. It is tried again")]
    private partial void LogEnded(string server, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Tool {Tool} of MCP server {Server} is left out: {Why}")]
    private partial void LogLeftOut(string server, string tool, string why);

    [LoggerMessage(Level = LogLevel.Debug, Message = "A call of {Tool} broke off")]
    private partial void LogCallFailed(Exception e, string tool);
}
