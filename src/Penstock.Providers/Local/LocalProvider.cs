using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Providers.Local;

/// <summary>
/// Answers computed in this process: extractive summaries, extraction, classification by shared words, JSON filled from the text, hashed
/// embeddings. With tools it calls them by fixed rules. It is no language model and says so. Answers depend on the prompt alone, so that temperature, seed and penalties change nothing.
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
        History.Check(call.Call);
        var (answer, input) = await AnswerAsync(call, ct);
        var started = new AnswerStarted($"local-{call.Attempt}", ChatModel);
        ChatUpdate[] end = [new Finished(0, answer.Reason, answer.StopSequence), new UsageReported(TokenCounts.Of(input, answer.Tokens.Count), Final: true, "standard")];
        if (!call.Call.Stream)
        {
            yield return new ProviderFrame(null, default, [started, .. answer.Whole, .. end], Last: true);
            yield break;
        }

        yield return new ProviderFrame(null, default, [started]);
        foreach (var token in answer.Tokens)
        {
            ct.ThrowIfCancellationRequested();
            yield return new ProviderFrame(null, default, token);
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

    public Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct) => Task.FromResult(new TokenCount(Metering.InputOf(call.Call), Exact: true));

    private static async Task<(LocalAnswer Answer, long Input)> AnswerAsync(ProviderCall call, CancellationToken ct)
    {
        var length = call.Call.Messages.SelectMany(message => message.Parts).Sum(LengthOf) + (call.Call.ResponseFormat?.Schema?.Length ?? 0);
        try
        {
            return await RunAsync(() => (Answer(call, ct), Metering.InputOf(call.Call)), length, ct);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new ProviderException(ProviderFault.TimedOut, "The local provider took too long to search the text; send a shorter one.", inner: e);
        }
    }

    private static LocalAnswer Answer(ProviderCall given, CancellationToken ct)
    {
        var call = given.Call;
        var most = given.MaxOutputTokens ?? call.MaxOutputTokens;
        var forced = call.Tools.Count > 0 && call.ToolChoice is { Kind: ToolChoiceKind.Required or ToolChoiceKind.Named };
        if (!forced && !ToolRules.Apply(call)) return LocalAnswer.Of(Reply.To(call, ct), call.Stop, most);
        var (task, talk) = (new AgentTask(call, ct), new ToolTalk(call));
        var calls = new ToolRules(call, task, talk, ct).Next();
        return calls.Count > 0 ? LocalAnswer.Of(calls, given, most) : LocalAnswer.Of(Reply.After(call, task, talk, ct), call.Stop, most);
    }

    private static long LengthOf(ChatPart part) => part switch
    {
        TextPart text => text.Text.Length,
        ToolResultPart result => result.Content.Sum(LengthOf),
        _ => 0,
    };

    private static Task<T> RunAsync<T>(Func<T> work, long characters, CancellationToken ct) =>
        characters > LongText ? Task.Run(work, ct) : Task.FromResult(work());
}
