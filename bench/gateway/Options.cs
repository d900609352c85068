using System.Globalization;

namespace Penstock.Bench.Gateway;

/// <summary>What to measure, from the command line, and where the programs are, from the environment that <c>bench/run.sh</c> sets.</summary>
internal sealed record Options
{
    /// <summary>How often each contender is measured, one after another.</summary>
    public int Rounds { get; init; } = 5;

    /// <summary>Seconds of one measurement.</summary>
    public int Seconds { get; init; } = 8;

    /// <summary>Connections at saturation.</summary>
    public int Connections { get; init; } = 64;

    public int Rate { get; init; } = 1_000;

    public int Streams { get; init; } = 1_000;

    public int Starts { get; init; } = 10;

    public bool Peer { get; init; } = true;

    public bool Pinned { get; init; } = true;

    /// <summary>Parts to run: <c>saturation</c>, <c>rate</c>, <c>first</c>, <c>streams</c>, <c>start</c>.</summary>
    public IReadOnlyList<string> Parts { get; init; } = ["saturation", "rate", "first", "streams", "start"];

    public string Wrk { get; } = Needed("BENCH_WRK");

    public string Nginx { get; } = Needed("BENCH_NGINX");

    /// <summary>The server's program, and others of other builds, by name.</summary>
    public IReadOnlyList<(string Name, string Library)> Servers { get; init; } = [("penstock", Needed("BENCH_SERVER"))];

    public string Peers { get; } = Needed("BENCH_PEERS");

    public string Work { get; } = Needed("BENCH_WORK");

    /// <summary>Core of what is measured, and of what measures it.</summary>
    public (int? Measured, int? Load) Cores => Pinned && Environment.ProcessorCount > 1 ? (0, 1) : (null, null);

    public static Options Parse(string[] args)
    {
        var options = new Options();
        for (var at = 0; at < args.Length; at++)
        {
            options = args[at] switch
            {
                "--rounds" => options with { Rounds = Number(args, ++at) },
                "--seconds" => options with { Seconds = Number(args, ++at) },
                "--connections" => options with { Connections = Number(args, ++at) },
                "--rate" => options with { Rate = Number(args, ++at) },
                "--streams" => options with { Streams = Number(args, ++at) },
                "--starts" => options with { Starts = Number(args, ++at) },
                "--parts" => options with { Parts = args[++at].Split(',') },
                "--beside" => options with { Servers = [.. options.Servers, Named(args[++at])] },
                "--no-peer" => options with { Peer = false },
                "--unpinned" => options with { Pinned = false },
                _ => throw new ArgumentException($"'{args[at]}' is not known; see bench/run.sh --help."),
            };
        }

        return options;
    }

    public bool Has(string part) => Parts.Contains(part);

    private static (string Name, string Library) Named(string text) => text.Split('=', 2) is [var name, var library]
        ? (name, Path.GetFullPath(library))
        : throw new ArgumentException($"--beside wants a name and a program, not '{text}'.");

    private static int Number(string[] args, int at) => int.Parse(args[at], CultureInfo.InvariantCulture);

    private static string Needed(string name) => Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set: this is started by bench/run.sh.");
}
