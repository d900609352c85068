using System.Collections.Frozen;

namespace Penstock.Tools;

/// <summary>The section <c>tools</c>.</summary>
internal sealed record ToolOptions
{
    /// <summary>Calls in flight at once; default 100.</summary>
    public int MaxInFlight { get; init; } = 100;

    /// <summary>Calls in flight at once of one tenant; default 100.</summary>
    public int MaxInFlightPerTenant { get; init; } = 100;

    /// <summary>Calls that wait for a place; one more is refused. Default 1,000.</summary>
    public int MaxWaiting { get; init; } = 1_000;

    /// <summary>How long a call waits for a place before it is refused, in seconds; default 30.</summary>
    public TimeSpan MaxWait { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Built-in tools that nobody may call.</summary>
    public IReadOnlySet<string> Off { get; init; } = FrozenSet<string>.Empty;

    /// <summary>Built-in tools that functions elsewhere carry out, and the function of each.</summary>
    public IReadOnlyDictionary<string, string> Functions { get; init; } = FrozenDictionary<string, string>.Empty;

    public FetchOptions Fetch { get; init; } = new();

    public IReadOnlyList<EndpointOptions> Endpoints { get; init; } = [];

    public IReadOnlyList<McpServerOptions> Servers { get; init; } = [];
}

/// <summary>What <c>http_fetch</c> may reach.</summary>
internal sealed record FetchOptions
{
    /// <summary>Hosts that may be private addresses, such as <c>wiki.example.internal</c>; none by default.</summary>
    public IReadOnlySet<string> AllowHosts { get; init; } = FrozenSet<string>.Empty;

    /// <summary>Default 80 and 443.</summary>
    public IReadOnlySet<int> Ports { get; init; } = FrozenSet.Create(80, 443);

    /// <summary>Bytes of a body that are read, decompressed; default 2 MiB.</summary>
    public int MaxBytes { get; init; } = 2 * 1024 * 1024;

    /// <summary>Default 20 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(20);
}

/// <summary>A tool that is an HTTP endpoint of the operator's.</summary>
/// <param name="Secret">Signs every call.</param>
/// <param name="MaxBytes">Of an answer; default 1 MiB.</param>
/// <param name="Reconcile">Where it is asked whether a call happened; null where it cannot say.</param>
internal sealed record EndpointOptions(ToolSpec Spec, Uri Url, Configuration.HookSecret Secret, int MaxBytes, Uri? Reconcile = null);

/// <summary>An MCP server whose tools are ours too; over a child process' standard streams, or over HTTP.</summary>
internal sealed record McpServerOptions
{
    public required string Name { get; init; }

    /// <summary>A program; null where <see cref="Url"/> is given.</summary>
    public string? Command { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>All that the process sees of an environment, beside <see cref="PassEnvironment"/>.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Names of our own environment that the process gets; default <c>PATH</c> and <c>HOME</c>.</summary>
    public IReadOnlyList<string> PassEnvironment { get; init; } = ["PATH", "HOME"];

    public Uri? Url { get; init; }

    public IReadOnlyDictionary<string, string> Headers { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Names of its tools, or beginnings with <c>*</c>; empty for all.</summary>
    public IReadOnlyList<string> Tools { get; init; } = [];

    /// <summary>Of each call; default 60 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Calls at once of each tool; default 10.</summary>
    public int Concurrency { get; init; } = 10;

    /// <summary>Bytes of one message; default 4 MiB.</summary>
    public int MaxBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Its values where two readings say the same; a process is not started anew for those.</summary>
    public bool Equals(McpServerOptions? other) => other is not null && Text() == other.Text();

    public override int GetHashCode() => Text().GetHashCode(StringComparison.Ordinal);

    /// <summary>Without the values of headers and environment.</summary>
    public override string ToString() => Name;

    private string Text() => string.Join('\n', [
        Name, Command, string.Join('\0', Arguments), Pairs(Environment), string.Join('\0', PassEnvironment), Url?.AbsoluteUri, Pairs(Headers), string.Join('\0', Tools),
        FormattableString.Invariant($"{Timeout} {Concurrency} {MaxBytes}"),
    ]);

    private static string Pairs(IReadOnlyDictionary<string, string> pairs) => string.Join('\0', pairs.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}\0{pair.Value}"));
}
