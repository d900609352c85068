using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Tests.Gateway;

/// <summary>What the vendors of a test do when they are called.</summary>
internal sealed class Script
{
    public Func<ProviderCall, CancellationToken, IAsyncEnumerable<ProviderFrame>> Chat { get; set; } = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));

    public Func<EmbedCall, EmbedAnswer> Embed { get; set; } = call => new EmbedAnswer([.. call.Inputs.Select(_ => new[] { 0.5f })], call.Model, TokenCounts.Of(call.Inputs.Count, 0), false);

    public Func<ProviderCall, TokenCount> Count { get; set; } = _ => new TokenCount(7, true);

    public Func<ProviderCall, Refusal?> Objects { get; set; } = _ => null;

    public ConcurrentQueue<ProviderCall> Calls { get; } = [];

    /// <summary>Answers begun and not yet left.</summary>
    public int Open => Volatile.Read(ref _open);

    private int _open;

    public async IAsyncEnumerable<ProviderFrame> RunAsync(ProviderCall call, [EnumeratorCancellation] CancellationToken ct)
    {
        Calls.Enqueue(call);
        Interlocked.Increment(ref _open);
        try
        {
            await foreach (var frame in Chat(call, ct).WithCancellation(ct)) yield return frame;
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }
}

/// <summary>A vendor at the port: it answers as the script says.</summary>
internal sealed class ScriptedProvider(ProviderSettings settings, Dialect dialect, Script script) : IChatProvider
{
    public ProviderSettings Settings => settings;

    public string Name => settings.Name;

    public Dialect Dialect => dialect;

    public Refusal? Objects(ProviderCall call) => script.Objects(call);

    public IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, CancellationToken ct) => script.RunAsync(call, ct);

    public Task<EmbedAnswer> EmbedAsync(EmbedCall call, CancellationToken ct) => Task.FromResult(script.Embed(call));

    public Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct) => Task.FromResult(script.Count(call));
}

internal sealed class ScriptedKind(string kind, Dialect dialect = Dialect.OpenAi, Script? script = null) : IProviderKind
{
    private readonly Script _script = script ?? new Script();

    public string Kind => kind;

    public IChatProvider Create(ProviderSettings settings) => new ScriptedProvider(settings, dialect, _script);
}

internal static class Frames
{
    public static ProviderFrame Text(string text) => new(null, default, [new TextDelta(0, text)]);

    public static ProviderFrame Usage(TokenCounts counts, bool final, string? priceClass = null) => new(null, default, [new UsageReported(counts, final, priceClass)]);

    /// <summary>The last frame; null counts are counts the vendor did not report.</summary>
    public static ProviderFrame End(TokenCounts? counts = null) =>
        new(null, default, counts is { } reported ? [new Finished(0, FinishReason.Stop), new UsageReported(reported, Final: true)] : [new Finished(0, FinishReason.Stop)], Last: true);

    /// <summary>An answer that is not streamed.</summary>
    public static ProviderFrame Whole(string text) => new(null, default, [new TextDelta(0, text), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(10, 5), Final: true)], Last: true);

    public static async IAsyncEnumerable<ProviderFrame> Of(params ProviderFrame[] frames)
    {
        await Task.CompletedTask;
        foreach (var frame in frames) yield return frame;
    }

    public static async IAsyncEnumerable<ProviderFrame> Then(Exception error, params ProviderFrame[] frames)
    {
        await Task.CompletedTask;
        foreach (var frame in frames) yield return frame;
        throw error;
    }

    /// <summary>These frames, then silence until the call is cancelled.</summary>
    public static async IAsyncEnumerable<ProviderFrame> Hang([EnumeratorCancellation] CancellationToken ct, params ProviderFrame[] frames)
    {
        foreach (var frame in frames) yield return frame;
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
    }

    public static IAsyncEnumerable<ProviderFrame> From(Channel<ProviderFrame> channel, CancellationToken ct) => channel.Reader.ReadAllAsync(ct);
}
