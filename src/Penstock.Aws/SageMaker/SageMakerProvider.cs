using System.Runtime.CompilerServices;
using Penstock.Aws.Bedrock;
using Penstock.Aws.EventStreams;
using Penstock.Aws.Signing;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Http;
using Penstock.Providers.OpenAi;
using Penstock.Usage;

namespace Penstock.Aws.SageMaker;

/// <summary>
/// <c>InvokeEndpoint</c> and <c>InvokeEndpointWithResponseStream</c>. The model is the endpoint's name. What goes in and comes out is
/// OpenAI's, in a stream its events cut into messages wherever it pleased the container.
/// </summary>
internal sealed class SageMakerProvider(ProviderSettings settings, Upstream upstream, AwsAccess access, ITokenCounter tokens, TimeProvider time) : IChatProvider
{
    private readonly BedrockFaults _faults = new(settings.Name, time);
    private readonly OpenAiFaults _inBand = new(settings.Name, null, time);

    public string Name => settings.Name;

    public Dialect Dialect => Dialect.OpenAi;

    /// <summary>SageMaker does not tell the container that its caller left: it works on.</summary>
    public bool BillsOnWhenLeft => true;

    public Refusal? Objects(ProviderCall call) => OpenAiCrossing.FirstObstacle(call.Call, $"provider '{Name}'");

    public async IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, [EnumeratorCancellation] CancellationToken ct)
    {
        var stream = call.Call.Stream;
        await using var answer = await PostAsync(call.Model, stream ? "invocations-response-stream" : "invocations", OpenAiRequest.Write(call), call.Attempt, stream, call.Timeouts, ct);
        var reader = new OpenAiAnswer(call, _inBand);
        if (!stream)
        {
            yield return reader.Whole(await answer.ReadAllAsync(ct), asStream: false);
            yield break;
        }

        var lines = new EventLines();
        var decoder = new EventStreamDecoder();
        await foreach (var piece in answer.PiecesAsync(ct))
        {
            foreach (var data in Read(decoder, lines, piece))
            {
                if (reader.Read(data) is not { } frame) continue;
                yield return frame;
                if (frame.Last) yield break;
            }
        }

        yield return reader.Ended();
    }

    public async Task<EmbedAnswer> EmbedAsync(EmbedCall call, CancellationToken ct)
    {
        await using var answer = await PostAsync(call.Model, "invocations", OpenAiVectors.Write(call), call.Attempt, stream: false, call.Timeouts, ct);
        var (vectors, model, counted) = OpenAiVectors.Read(await answer.ReadAllAsync(ct), call, _inBand);
        return new EmbedAnswer(vectors, model, TokenCounts.Of(counted ?? call.Inputs.Sum(text => tokens.CountText(text, call.Model)), 0), Estimated: counted is null);
    }

    public Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct) => Task.FromResult(tokens.Count(call.Call, call.Model) with { Exact = false });

    private async Task<UpstreamAnswer> PostAsync(string endpoint, string operation, ReadOnlyMemory<byte> body, AttemptId attempt, bool stream, CallTimeouts? timeouts, CancellationToken ct)
    {
        if (endpoint.Length > 63 || !endpoint.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')) throw new ProviderException(ProviderFault.ModelUnknown, $"Provider '{Name}' has no endpoint of that name.", 404);
        var path = $"/endpoints/{endpoint}/{operation}";
        var headers = await access.HeadersAsync(new Uri(settings.BaseUrl!.AbsoluteUri.TrimEnd('/') + path), body, ct);
        headers.Add(new("x-client-request-id", attempt.Value));
        var answer = await upstream.PostAsync(path, body, headers, stream, timeouts, ct);
        if (answer.Succeeded) return answer;
        await using (answer) throw await _faults.OfAnswerAsync(answer, ct);
    }

    private List<UpstreamEvent> Read(EventStreamDecoder decoder, EventLines lines, ReadOnlyMemory<byte> piece)
    {
        try
        {
            var events = new List<UpstreamEvent>();
            foreach (var frame in decoder.Read(piece))
            {
                if (frame.MessageType != "event") throw _faults.InStream(frame);
                events.AddRange(lines.Read(frame.Payload.Span));
            }

            return events;
        }
        catch (InvalidDataException e)
        {
            throw _faults.Broken("sent an event that is not what its protocol says", e);
        }
    }
}
