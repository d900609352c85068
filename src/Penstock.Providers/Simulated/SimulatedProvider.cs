using System.Runtime.CompilerServices;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Local;
using Penstock.Usage;

namespace Penstock.Providers.Simulated;

/// <summary>
/// Made-up tokens at a set pace: the same request always gets the same answer, and its usage is exact.
/// Calls tools as the text writes them down (see <see cref="ScriptedCalls"/>), and a tool where one must be called, several where the text says "parallel"; fills a
/// JSON schema; accepts images.
/// </summary>
internal sealed class SimulatedProvider(string name, TimeProvider time) : IChatProvider
{
    public const string Model = "simulated";

    private const int UsualDimensions = 256;
    private const int MostDimensions = 4_096;

    public string Name { get; } = name;

    public Dialect Dialect => Dialect.Native;

    public Refusal? Objects(ProviderCall call) => LocalObjections.Beyond(call.Call, Name);

    public async IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, [EnumeratorCancellation] CancellationToken ct)
    {
        if (Objects(call) is { } refusal) throw new ProviderException(ProviderFault.Rejected, refusal.Message, code: refusal.Code, field: refusal.Field);
        History.Check(call.Call);
        var pace = Pace.Of(call.Model);
        var script = Script.For(call, pace, ct);
        var start = new AnswerStarted($"sim-{call.Attempt}", call.Model.Length > 0 ? call.Model : Model);
        ChatUpdate[] end = [new Finished(0, script.Reason, script.StopSequence), new UsageReported(TokenCounts.Of(Metering.InputOf(call.Call), script.Tokens.Count), Final: true, "standard")];
        var began = time.GetTimestamp();
        if (!call.Call.Stream)
        {
            await UntilAsync(began, pace.Gap * script.Tokens.Count, ct);
            yield return new ProviderFrame(null, default, [start, .. script.Tokens.SelectMany(token => token), .. end], Last: true);
            yield break;
        }

        for (var i = 0; i < script.Tokens.Count; i++)
        {
            await UntilAsync(began, pace.Gap * (i + 1), ct);
            yield return new ProviderFrame(null, default, i == 0 ? [start, .. script.Tokens[i]] : script.Tokens[i]);
        }

        yield return new ProviderFrame(null, default, script.Tokens.Count == 0 ? [start, .. end] : end, Last: true);
    }

    public async Task<EmbedAnswer> EmbedAsync(EmbedCall call, CancellationToken ct)
    {
        var dimensions = call.Dimensions ?? UsualDimensions;
        if (dimensions is < 1 or > MostDimensions)
        {
            throw new ProviderException(ProviderFault.Rejected, $"'dimensions' must be from 1 to {MostDimensions} for the simulated provider; it is {dimensions}.", field: "dimensions");
        }

        await UntilAsync(time.GetTimestamp(), Pace.Of(call.Model).Gap, ct);
        var vectors = call.Inputs.Select(input => HashedVector.Of(input, dimensions, ct)).ToList();
        return new EmbedAnswer(vectors, Model, TokenCounts.Of(call.Inputs.Sum(Pieces.Count), 0), Estimated: false);
    }

    public Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct) => Task.FromResult(new TokenCount(Metering.InputOf(call.Call), Exact: true));

    /// <summary>Counted from the beginning, so that a late timer does not slow the ones after it.</summary>
    private async Task UntilAsync(long began, TimeSpan due, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var left = due - time.GetElapsedTime(began);
        if (left > TimeSpan.Zero) await Task.Delay(left, time, ct);
    }
}
