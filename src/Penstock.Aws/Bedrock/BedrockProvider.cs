using System.Runtime.CompilerServices;
using System.Text.Json;
using Penstock.Aws.EventStreams;
using Penstock.Aws.Signing;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Http;

namespace Penstock.Aws.Bedrock;

/// <summary>Calls <c>converse</c> and <c>converse-stream</c> for chats, <c>invoke</c> for embeddings.</summary>
internal sealed class BedrockProvider(ProviderSettings settings, Upstream upstream, AwsAccess access, ITokenCounter tokens, TimeProvider time) : IChatProvider
{
    private const string EventStream = "application/vnd.amazon.eventstream";

    private readonly BedrockFaults _faults = new(settings.Name, time);

    public string Name => settings.Name;

    public Dialect Dialect => Dialect.Converse;

    /// <summary>Closing the connection stops nothing: the whole answer is made, and billed.</summary>
    public bool BillsOnWhenLeft => true;

    public Refusal? Objects(ProviderCall call) => new ConverseObjections(call.Call, new BedrockModel(call.Model), $"provider '{Name}'").First();

    public async IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, [EnumeratorCancellation] CancellationToken ct)
    {
        var model = new BedrockModel(call.Model);
        var stream = ConverseRequest.Streams(call.Call, model);
        await using var answer = await PostAsync(model.Path(stream ? "converse-stream" : "converse"), ConverseRequest.Write(call), call.Attempt, stream, call.Timeouts, ct);
        var id = answer.Headers.TryGetValues("x-amzn-requestid", out var given) ? given.First() : call.Attempt.Value;
        if (!stream)
        {
            yield return ReadWhole(await answer.ReadAllAsync(ct), id, call);
            yield break;
        }

        if (answer.MediaType != EventStream) throw _faults.Broken($"sent {answer.MediaType ?? "an answer of no type"}, and an event stream was asked for");
        var (decoder, reader) = (new EventStreamDecoder(), new ConverseStream(call, id));
        await foreach (var piece in answer.PiecesAsync(ct))
        {
            foreach (var frame in Read(decoder, reader, piece))
            {
                yield return frame;
                if (frame.Last) yield break;
            }
        }

        throw _faults.CutShort();
    }

    public Task<EmbedAnswer> EmbedAsync(EmbedCall call, CancellationToken ct) => new BedrockEmbeddings(_faults, tokens).AskAsync(
        call, (body, stop) => PostAsync(new BedrockModel(call.Model).Path("invoke"), body, call.Attempt, stream: false, call.Timeouts, stop), ct);

    public Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct) => Task.FromResult(tokens.Count(call.Call, call.Model) with { Exact = false });

    private async Task<UpstreamAnswer> PostAsync(string path, ReadOnlyMemory<byte> body, AttemptId attempt, bool stream, CallTimeouts? timeouts, CancellationToken ct)
    {
        // A piece of a path that only points elsewhere is no model's name.
        if (path.Contains("/./", StringComparison.Ordinal) || path.Contains("/../", StringComparison.Ordinal)) throw new ProviderException(ProviderFault.ModelUnknown, $"Provider '{Name}' has no model of that name.", 404);
        var headers = await access.HeadersAsync(new Uri(settings.BaseUrl!.AbsoluteUri.TrimEnd('/') + path), body, ct);
        headers.Add(new("Accept", stream ? EventStream : AwsAccess.Json));
        headers.Add(new("x-client-request-id", attempt.Value));
        var answer = await upstream.PostAsync(path, body, headers, stream, timeouts, ct);
        if (answer.Succeeded) return answer;
        await using (answer) throw await _faults.OfAnswerAsync(answer, ct);
    }

    private ProviderFrame ReadWhole(ReadOnlyMemory<byte> body, string id, ProviderCall call)
    {
        try
        {
            return ConverseAnswer.Read(body, id, call);
        }
        catch (Exception e) when (IsMalformed(e))
        {
            throw _faults.Broken("sent an answer that is not what its protocol says", e);
        }
    }

    /// <summary>Frame by frame: what came before a fault goes out before it is told.</summary>
    private IEnumerable<ProviderFrame> Read(EventStreamDecoder decoder, ConverseStream reader, ReadOnlyMemory<byte> piece)
    {
        using var frames = decoder.Read(piece).GetEnumerator();
        while (Next(frames, reader) is { } frame) yield return frame;
    }

    private ProviderFrame? Next(IEnumerator<EventFrame> frames, ConverseStream reader)
    {
        try
        {
            if (!frames.MoveNext()) return null;
            return frames.Current.MessageType == "event" ? reader.Read(frames.Current) : throw _faults.InStream(frames.Current);
        }
        catch (Exception e) when (IsMalformed(e))
        {
            throw _faults.Broken("sent an event that is not what its protocol says", e);
        }
    }

    /// <summary>What reading a member throws that is absent, of another kind, out of range, or no text; and what breaks the stream's encoding.</summary>
    internal static bool IsMalformed(Exception e) => e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or InvalidDataException;
}
