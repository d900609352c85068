using System.Text.Json;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Penstock.Http;

namespace Penstock.Tools.Mcp;

/// <summary>One connection to an MCP server, from its greeting to its end.</summary>
internal sealed class McpSession : IAsyncDisposable
{
    private const int MostTools = 1_000;

    private readonly McpClient _client;
    private readonly IAsyncDisposable? _process;

    private McpSession(McpClient client, IAsyncDisposable? process) => (_client, _process) = (client, process);

    /// <summary>Completes when the other side is gone; over HTTP that shows only at the next call.</summary>
    public Task Ended => _client.Completion;

    /// <param name="changed">Its tools are others now.</param>
    public static async Task<McpSession> OpenAsync(McpServerOptions options, Action changed, TimeProvider time, ILoggerFactory logs, CancellationToken ct)
    {
        var process = options.Command is null ? null : ServerProcess.Start(options, time, logs.CreateLogger<ServerProcess>());
        try
        {
            IClientTransport transport = process is null ? Http(options, logs) : new StreamClientTransport(process.Input, process.Output, logs);
            var client = await McpClient.CreateAsync(transport, ClientOptions(changed), logs, ct).WaitAsync(ct);
            return new McpSession(client, process);
        }
        catch
        {
            if (process is not null) await process.DisposeAsync();
            throw;
        }
    }

    public async Task<IReadOnlyList<Tool>> ListAsync(CancellationToken ct)
    {
        var tools = new List<Tool>();
        string? cursor = null;
        do
        {
            var page = await _client.ListToolsAsync(new ListToolsRequestParams { Cursor = cursor }, ct).AsTask().WaitAsync(ct);
            tools.AddRange(page.Tools);
            cursor = page.NextCursor;
        }
        while (cursor is { Length: > 0 } && tools.Count < MostTools);
        return tools;
    }

    public Task<CallToolResult> CallAsync(string tool, JsonElement arguments, CancellationToken ct) =>
        _client.CallToolAsync(new CallToolRequestParams { Name = tool, Arguments = arguments.EnumerateObject().ToDictionary(member => member.Name, member => member.Value) }, ct).AsTask().WaitAsync(ct);

    public Task PingAsync(CancellationToken ct) => _client.PingAsync(new PingRequestParams(), ct).AsTask().WaitAsync(ct);

    public async ValueTask DisposeAsync()
    {
        // The process goes first: a session that waits for a server which does not listen would not end.
        if (_process is not null) await _process.DisposeAsync();
        await _client.DisposeAsync();
    }

    private static McpClientOptions ClientOptions(Action changed) => new()
    {
        ClientInfo = new Implementation { Name = "penstock", Version = "1" },
        Handlers = new McpClientHandlers
        {
            NotificationHandlers =
            [
                new(NotificationMethods.ToolListChangedNotification, (_, _) =>
                {
                    changed();
                    return ValueTask.CompletedTask;
                }),
            ],
        },
    };

    private static HttpClientTransport Http(McpServerOptions options, ILoggerFactory logs)
    {
        var connections = PlainConnections.Create();
        var http = new HttpClient(new BoundedAnswers(connections, options.MaxBytes)) { Timeout = Timeout.InfiniteTimeSpan };
        var settings = new HttpClientTransportOptions
        {
            Endpoint = options.Url!,
            Name = options.Name,
            TransportMode = HttpTransportMode.StreamableHttp,
            AdditionalHeaders = options.Headers.ToDictionary(),
        };
        return new HttpClientTransport(settings, http, logs, ownsHttpClient: true);
    }

    private sealed class BoundedAnswers(HttpMessageHandler inner, int most) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            var bounded = new StreamContent(new BoundedLines(await answer.Content.ReadAsStreamAsync(cancellationToken), most));
            foreach (var (name, values) in answer.Content.Headers) bounded.Headers.TryAddWithoutValidation(name, values);
            answer.Content = bounded;
            return answer;
        }
    }
}
