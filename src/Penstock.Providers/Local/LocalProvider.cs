using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Providers.Local;

/// <summary>
/// Answers computed in this process: extractive summaries, extraction, classification by shared words, JSON filled from the text, hashed
/// embeddings. It is no language model and says so. Answers depend on the prompt alone, so that temperature, seed and penalties change nothing.
/// </summary>
internal sealed class LocalProvider(string name) : IChatProvider
{
    /// <summary>What answers name themselves.</summary>
    public const string ChatModel = "local-extractive";

    public const string EmbedModel = "local-hashed";

    private const int UsualDimensions = 256;
    private const int MostDimensions = 2_048;

    /// <summary>Characters past which the work leaves the thread that serves the request.</summary>
    private const int LongText = 8_192;

    public string Name { get; } = name;

    public Dialect Dialect => Dialect.Native;

    public Refusal? Objects(ProviderCall call) => LocalObjections.First(call.Call, Name);

    public async IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, [EnumeratorCancellation] CancellationToken ct)
    {
        if (Objects(call) is { } refusal) throw new ProviderException(ProviderFault.Rejected, refusal.Message, code: refusal.Code, field: refusal.Field);
        var (answer, input) = await AnswerAsync(call, ct);
        var started = new AnswerStarted($"local-{call.Attempt}", ChatModel);
        ChatUpdate[] end = [new Finished(0, answer.Reason, answer.StopSequence), new UsageReported(TokenCounts.Of(input, answer.Pieces.Count), Final: true, "standard")];
        if (!call.Call.Stream)
        {
            yield return new ProviderFrame(null, default, [started, .. TextOf(string.Concat(answer.Pieces)), .. end], Last: true);
            yield break;
        }

        yield return new ProviderFrame(null, default, [started]);
        foreach (var piece in answer.Pieces)
        {
            ct.ThrowIfCancellationRequested();
            yield return new ProviderFrame(null, default, [new TextDelta(0, piece)]);
        }

        yield return new ProviderFrame(null, default, end, Last: true);
    }

    public async Task<EmbedAnswer> EmbedAsync(EmbedCall call, CancellationToken ct)
    {
        var dimensions = call.Dimensions ?? UsualDimensions;
        if (dimensions is < 1 or > MostDimensions)
        {
            throw new ProviderException(ProviderFault.Rejected, $"'dimensions' must be from 1 to {MostDimensions} for the local provider; it is {dimensions}.", field: "dimensions");
        }

        var vectors = await RunAsync(() => call.Inputs.Select(input => HashedVector.Of(input, dimensions, ct)).ToList(), call.Inputs.Sum(input => (long)input.Length), ct);
        return new EmbedAnswer(vectors, EmbedModel, TokenCounts.Of(call.Inputs.Sum(Pieces.Count), 0), Estimated: false);
    }

    public Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct) => Task.FromResult(new TokenCount(InputOf(call.Call), Exact: true));

    /// <summary>What this provider's input is metered as: the pieces of all text.</summary>
    internal static long InputOf(ChatCall call) => call.Messages.Sum(message => message.Parts.Sum(part => part switch
    {
        TextPart text => Pieces.Count(text.Text),
        RefusedPart refused => Pieces.Count(refused.Text),
        _ => 0,
    }));

    private static async Task<(LocalAnswer Answer, long Input)> AnswerAsync(ProviderCall call, CancellationToken ct)
    {
        var length = call.Call.Messages.Sum(message => message.Parts.OfType<TextPart>().Sum(part => (long)part.Text.Length)) + (call.Call.ResponseFormat?.Schema?.Length ?? 0);
        try
        {
            return await RunAsync(() => (LocalAnswer.Of(Reply.To(call.Call, ct), call.Call.Stop, call.MaxOutputTokens ?? call.Call.MaxOutputTokens), InputOf(call.Call)), length, ct);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new ProviderException(ProviderFault.TimedOut, "The local provider took too long to search the text; send a shorter one.", inner: e);
        }
    }

    private static Task<T> RunAsync<T>(Func<T> work, long characters, CancellationToken ct) =>
        characters > LongText ? Task.Run(work, ct) : Task.FromResult(work());

    private static IEnumerable<TextDelta> TextOf(string text) => text.Length > 0 ? [new TextDelta(0, text)] : [];
}
