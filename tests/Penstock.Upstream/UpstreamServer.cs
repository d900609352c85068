using System.Collections.Frozen;
using Penstock.Upstream.Anthropic;
using Penstock.Upstream.Bedrock;
using Penstock.Upstream.OpenAi;

namespace Penstock.Upstream;

/// <summary>
/// OpenAI's, Anthropic's, Bedrock's and SageMaker's APIs on one real socket of 127.0.0.1, as strict as the vendors; README.md lists what they can be told to do.
/// </summary>
public sealed class UpstreamServer : IAsyncDisposable
{
    /// <summary>The key the OpenAI routes accept unless told otherwise.</summary>
    public const string OpenAiKey = "sk-upstream-openai";

    /// <summary>The key the Anthropic routes accept unless told otherwise.</summary>
    public const string AnthropicKey = "sk-ant-upstream";

    /// <summary>What requests to the AWS routes are signed with unless told otherwise.</summary>
    public const string AwsKeyId = "AKIAUPSTREAM00000000";

    public const string AwsSecret = "upstream/secret+of+forty+characters/0000";

    /// <summary>The bearer token Bedrock's routes accept unless told otherwise.</summary>
    public const string AwsToken = "bedrock-api-key-upstream";

    private const int LargestBody = 64 << 20;

    private readonly WebApplication _app;
    private readonly UpstreamOptions _options;
    private readonly FastRoute _fast = new();
    private readonly FrozenDictionary<string, Func<Exchange, ReadOnlyMemory<byte>, Task>> _routes;

    private UpstreamServer(UpstreamOptions options)
    {
        _options = options;
        Seen = new SeenLog(options.Time);
        _routes = MakeRoutes(new Models(options.ExtraModels), options);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Listen(System.Net.IPAddress.Loopback, options.Port);
        });
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    /// <summary>Such as <c>http://127.0.0.1:43210</c>; OpenAI's base is this and <c>/v1</c>, Anthropic's is this.</summary>
    public string BaseUrl => _app.Urls.First();

    /// <summary>What it received. Calls with the fast option are not noted; <see cref="FastCalls"/> counts them.</summary>
    public SeenLog Seen { get; }

    public long FastCalls => _fast.Calls;

    public static async Task<UpstreamServer> StartAsync(UpstreamOptions? options = null, CancellationToken ct = default)
    {
        var server = new UpstreamServer(options ?? new UpstreamOptions());
        await server._app.StartAsync(ct);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        // Answers that wait are of no more use to anybody.
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private static FrozenDictionary<string, Func<Exchange, ReadOnlyMemory<byte>, Task>> MakeRoutes(Models models, UpstreamOptions options)
    {
        var openAi = new OpenAiVendor(models.OpenAi, options.OpenAiKeys);
        var anthropic = new AnthropicVendor(models.Anthropic, options.AnthropicKeys);
        var list = new ModelRoutes(models, openAi, anthropic);
        return new Dictionary<string, Func<Exchange, ReadOnlyMemory<byte>, Task>>
        {
            ["POST /v1/chat/completions"] = new ChatRoute(openAi, options.Agent).HandleAsync,
            ["POST /v1/embeddings"] = new OpenAiEmbeddings(models.OpenAi, openAi).HandleAsync,
            ["POST /v1/messages"] = new ChatRoute(anthropic, options.Agent).HandleAsync,
            ["POST /v1/messages/count_tokens"] = anthropic.CountAsync,
            ["GET /v1/models"] = (exchange, _) => list.HandleAsync(exchange),
        }.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value ?? "/";
        if (path == "/_seen")
        {
            await SeenRoute.HandleAsync(http, Seen, FastCalls);
            return;
        }

        if (_options.Fast && path == "/v1/chat/completions")
        {
            await _fast.HandleAsync(http);
            return;
        }

        var route = path.StartsWith("/v1/models", StringComparison.Ordinal) ? "GET /v1/models" : $"{http.Request.Method} {path}";
        await ServeAsync(http, path, AwsRoutes.Find(http.Request, _options) ?? _routes.GetValueOrDefault(route));
    }

    private async Task ServeAsync(HttpContext http, string path, Func<Exchange, ReadOnlyMemory<byte>, Task>? route)
    {
        try
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            var number = Seen.Add(number => new SeenCall
            {
                Number = number,
                Method = http.Request.Method,
                Path = path,
                Headers = http.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => string.Join(',', header.Value.AsEnumerable())),
                Body = body.ToArray(),
                At = _options.Time.GetUtcNow(),
            });
            using var exchange = new Exchange(http, Seen, number, _options.Time);
            exchange.Watch();
            await (route is null ? NotFoundAsync(exchange) : route(exchange, body.ToArray()));
            exchange.Close(SeenOutcome.Answered);
        }
        catch (Exception e) when (http.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException or BadHttpRequestException)
        {
            // The client left; the exchange has noted it.
        }
    }

    private static async Task NotFoundAsync(Exchange exchange)
    {
        exchange.Http.Response.StatusCode = 404;
        exchange.Close(SeenOutcome.Refused);
        await exchange.SendAsync(404, Exchange.Json(json => OpenAiVendor.WriteError(json, new VendorRefusal(404, "invalid_request_error", $"Invalid URL ({exchange.Http.Request.Method} {exchange.Http.Request.Path})"))));
    }
}
