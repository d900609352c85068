using System.Runtime.CompilerServices;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Http;

namespace Penstock.Providers.Anthropic;

/// <summary>Calls <c>/v1/messages</c>. Its frames carry Anthropic's own bytes.</summary>
internal sealed class AnthropicProvider(ProviderSettings settings, Upstream upstream, TimeProvider time) : IChatProvider
{
    private const string Version = "2023-06-01";

    private readonly AnthropicFailures _failures = new(settings, time);

    public string Name => settings.Name;

    public Dialect Dialect => Dialect.Anthropic;

    public Refusal? Objects(ProviderCall call) => AnthropicRequestWriter.Passes(call.Call) ? null : AnthropicObjections.First(call.Call, $"provider '{Name}'");

    public async IAsyncEnumerable<ProviderFrame> ChatAsync(ProviderCall call, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var answer = await upstream.PostAsync("/v1/messages", AnthropicRequestWriter.Write(call), Headers(call.Call, call.Attempt), call.Call.Stream, call.Timeouts, ct);
        if (!answer.Succeeded) throw await _failures.OfStatusAsync(answer, ct);
        if (call.Call.Stream != answer.IsEventStream) throw Broken($"sent {(answer.IsEventStream ? "a stream, and a whole answer was asked for" : "a whole answer, and a stream was asked for")}");

        if (!call.Call.Stream)
        {
            yield return ReadWhole(await answer.ReadAllAsync(ct));
            yield break;
        }

        var reader = new AnthropicStreamReader(_failures);
        await foreach (var received in answer.EventsAsync(ct))
        {
            var frame = Read(reader, received);
            yield return frame;
            if (frame.Last) yield break;
        }

        throw new ProviderException(ProviderFault.CutShort, $"Provider '{Name}' ended its stream before its answer was complete.");
    }

    public Task<EmbedAnswer> EmbedAsync(EmbedCall call, CancellationToken ct) => Task.FromException<EmbedAnswer>(new RefusedException(Refusal.CannotCross(
        "model", $"provider '{Name}'", "Anthropic has no embeddings; use text-embedding-3-small, or model local.")));

    public async Task<TokenCount> CountAsync(ProviderCall call, CancellationToken ct)
    {
        await using var answer = await upstream.PostAsync("/v1/messages/count_tokens", AnthropicRequestWriter.WriteCount(call), Headers(call.Call, call.Attempt), stream: false, call.Timeouts, ct);
        if (!answer.Succeeded) throw await _failures.OfStatusAsync(answer, ct);
        var body = await answer.ReadAllAsync(ct);
        try
        {
            using var json = JsonDocument.Parse(body);
            return new TokenCount(json.RootElement.GetProperty("input_tokens").GetInt64(), Exact: true);
        }
        catch (Exception e) when (IsMalformed(e))
        {
            throw Broken("sent a count that is none", e);
        }
    }

    private ProviderFrame ReadWhole(ReadOnlyMemory<byte> body)
    {
        try
        {
            return AnthropicAnswerReader.ReadWhole(body, _failures);
        }
        catch (Exception e) when (IsMalformed(e))
        {
            throw Broken("sent an answer that is not what its protocol says", e);
        }
    }

    private ProviderFrame Read(AnthropicStreamReader reader, UpstreamEvent received)
    {
        try
        {
            return reader.Read(received);
        }
        catch (Exception e) when (IsMalformed(e))
        {
            throw Broken("sent an event that is not what its protocol says", e);
        }
    }

    private List<KeyValuePair<string, string>> Headers(ChatCall call, AttemptId attempt)
    {
        var headers = new List<KeyValuePair<string, string>>
        {
            new("anthropic-version", Version),
            new("x-client-request-id", attempt.Value),
        };
        if (settings.ApiKey is { Length: > 0 } key) headers.Add(new("x-api-key", key));
        if (AnthropicRequestWriter.Passes(call)) headers.AddRange(call.PassHeaders.Where(IsPassed));
        return headers;
    }

    /// <summary>A client may ask for a beta, and for nothing else of its headers; no value can begin another header.</summary>
    private static bool IsPassed(KeyValuePair<string, string> header) =>
        header.Key.Equals("anthropic-beta", StringComparison.OrdinalIgnoreCase) && !header.Value.AsSpan().ContainsAnyExceptInRange(' ', '~');

    /// <summary>What reading a member throws that is absent, of another kind, out of range, or no text.</summary>
    internal static bool IsMalformed(Exception e) => e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException;

    private ProviderException Broken(string what, Exception? inner = null) => new(ProviderFault.Broken, $"Provider '{Name}' {what}.", inner: inner);
}
