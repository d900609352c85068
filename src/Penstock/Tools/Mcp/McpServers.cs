using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Penstock.Tools.Mcp;

/// <summary>The MCP servers of the configuration in force. One that is new is opened, one that is gone or changed is closed, any other stays as it is.</summary>
internal sealed class McpServers(TimeProvider time, ILoggerFactory logs) : IHostedService
{
    private readonly Lock _lock = new();
    private readonly List<Task> _closing = [];
    private IReadOnlyList<McpServerOptions> _wanted = [];
    private IReadOnlyList<McpServer> _running = [];
    private bool _started;

    /// <summary>In the order of the configuration.</summary>
    public IReadOnlyList<McpServer> Servers
    {
        get
        {
            lock (_lock) return _running;
        }
    }

    /// <summary>Nothing is opened before the server itself runs: a look at the configuration starts no process.</summary>
    public void Use(IReadOnlyList<McpServerOptions> wanted)
    {
        lock (_lock)
        {
            _wanted = wanted;
            if (_started) Change();
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _started = true;
            Change();
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Task[] closing;
        lock (_lock)
        {
            _started = false;
            _wanted = [];
            Change();
            closing = [.. _closing];
        }

        return Task.WhenAll(closing).WaitAsync(cancellationToken);
    }

    private void Change()
    {
        _closing.RemoveAll(task => task.IsCompletedSuccessfully);
        _closing.AddRange(_running.Where(server => !_wanted.Contains(server.Options)).Select(server => server.DisposeAsync().AsTask()));
        _running = [.. _wanted.Select(options => _running.FirstOrDefault(server => server.Options.Equals(options)) ?? new McpServer(options, time, logs))];
    }
}
