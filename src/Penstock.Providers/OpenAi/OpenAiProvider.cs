using System.Runtime.CompilerServices;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Http;
using Penstock.Providers.Tokens;
using Penstock.Usage;

namespace Penstock.Providers.OpenAi;

/// <summary>Calls <c>/chat/completions</c> and <c>/embeddings</c> of one server.</summary>
internal sealed class OpenAiProvider(ProviderSettings settings, UpstreamConnections connections, TokenCounter tokens, TimeProvider time) : IChatProvider
{
    private readonly Upstream _upstream = new(settings, connections, time);
    private readonly OpenAiFaults _faults = new(settings.Name, settings.ApiKey, time);

    public string Name => settings.Name;

    public Dialect Dialect => Dialect.OpenAi;

    public Refusal? Objects(ProviderCall call) => OpenAiCrossing.FirstObstacle(call.Call, $"provider '{settings.Name}'");

    public async IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, [EnumeratorCancellation] CancellationToken ct)
    {
        var stream = call.Call.Stream;
        await using var answer = await PostAsync("/chat/completions", OpenAiRequest.Write(call), call.Attempt, stream, call.Timeouts, ct);
        var reader = new OpenAiAnswer(call, _faults);
        if (!stream || !answer.IsEventStream)
        {
            yield return reader.Whole(await answer.ReadAllAsync(ct), asStream: stream);
            yield break;
        }

        await foreach (var chunk in answer.EventsAsync(ct))
        {
            if (reader.Read(chunk) is not { } frame) continue;
            yield return frame;
            if (frame.Last) yield break;
        }

        yield return reader.Ended();
    }

    public async Task<EmbedAnswer> EmbedAsync(EmbedCall call, CancellationToken ct)
    {
        await using var answer = await PostAsync("/embeddings", OpenAiVectors.Write(call), call.Attempt, stream: false, call.Timeouts, ct);
        var (vectors, model, counted) = OpenAiVectors.Read(await answer.ReadAllAsync(ct), call, _faults);
        var input = counted ?? call.Inputs.Sum(text => tokens.CountText(text, call.Model));
        return new EmbedAnswer(vectors, model, TokenCounts.Of(input, 0), Estimated: counted is null);
    }

    public Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct) => Task.FromResult(tokens.Count(call.Call, call.Model));

    private async Task<UpstreamAnswer> PostAsync(string path, ReadOnlyMemory<byte> body, AttemptId attempt, bool stream, CallTimeouts? timeouts, CancellationToken ct)
    {
        var headers = new List<KeyValuePair<string, string>>(3)
        {
            new("Accept", stream ? "text/event-stream" : "application/json"),
            new("x-client-request-id", attempt.Value),
        };
        if (settings.ApiKey is { Length: > 0 } key) headers.Add(new("Authorization", $"Bearer {key}"));

        var answer = await _upstream.PostAsync(path, body, headers, stream, timeouts, ct);
        if (answer.Succeeded) return answer;
        await using (answer) throw _faults.OfAnswer(answer.Status, await ReadErrorAsync(answer, ct), answer.Headers);
    }

    private static async Task<ReadOnlyMemory<byte>> ReadErrorAsync(UpstreamAnswer answer, CancellationToken ct)
    {
        try
        {
            return await answer.ReadErrorAsync(ct);
        }
        catch (ProviderException)
        {
            // The status says what kind of failure it is, whether or not its explanation arrived.
            return default;
        }
    }
}
