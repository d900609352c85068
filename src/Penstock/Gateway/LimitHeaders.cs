using System.Globalization;
using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Http;
using Penstock.Limits;

namespace Penstock.Gateway;

/// <summary>How the tightest limits stand, on every answer of a limited route, refusals and streams included; in the words of the route's own clients.</summary>
/// <seealso href="https://platform.openai.com/docs/guides/rate-limits"/>
/// <seealso href="https://docs.claude.com/en/api/rate-limits"/>
internal sealed class LimitHeaders
{
    private readonly IHeaderDictionary _headers;
    private readonly bool _anthropic;
    private readonly Passage _passage;
    private readonly TimeProvider _time;

    // The headers are those of the connection now: an answer that is recorded later, for others too, has headers of its own.
    private LimitHeaders(HttpContext http, Passage passage, TimeProvider time) =>
        (_headers, _anthropic, _passage, _time) = (http.Response.Headers, http.GetEndpoint()?.Metadata.GetMetadata<ErrorShape>() is AnthropicErrors, passage, time);

    /// <summary>Written once, with the first byte: by then a refusal has given back what it gives back.</summary>
    public static void WriteWith(HttpContext http, Passage passage, TimeProvider time) =>
        http.Response.OnStarting(static headers => ((LimitHeaders)headers).WriteAsync(), new LimitHeaders(http, passage, time));

    private Task WriteAsync()
    {
        if (_anthropic)
        {
            if (_passage.Requests is { } requests) WriteAnthropic(_headers, requests, "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset");
            if (_passage.Tokens is { } tokens) WriteAnthropic(_headers, tokens, "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset");
        }
        else
        {
            if (_passage.Requests is { } requests) Write(_headers, requests, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests");
            if (_passage.Tokens is { } tokens) Write(_headers, tokens, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens");
        }

        return Task.CompletedTask;
    }

    private static void Write(IHeaderDictionary headers, Standing standing, string limit, string remaining, string reset)
    {
        headers[limit] = Text(standing.Limit);
        headers[remaining] = Text(standing.Remaining);
        headers[reset] = Duration(standing.Reset);
    }

    /// <summary>Anthropic says when, to the second, and not how long.</summary>
    private void WriteAnthropic(IHeaderDictionary headers, Standing standing, string limit, string remaining, string reset)
    {
        headers[limit] = Text(standing.Limit);
        headers[remaining] = Text(standing.Remaining);
        var at = _time.GetUtcNow() + standing.Reset;
        headers[reset] = new DateTimeOffset((at.UtcTicks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, TimeSpan.Zero).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
    }

    /// <summary>As OpenAI writes it: <c>0s</c>, <c>12ms</c>, <c>1.5s</c>, <c>6m0s</c>, <c>1h0m3.2s</c>; rounded up to the millisecond.</summary>
    internal static string Duration(TimeSpan wait)
    {
        var ms = (wait.Ticks + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond;
        if (ms is > 0 and < 1000) return string.Create(CultureInfo.InvariantCulture, $"{ms}ms");
        var (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000 / 1000.0);
        return hours > 0 ? string.Create(CultureInfo.InvariantCulture, $"{hours}h{minutes}m{seconds:0.###}s")
            : minutes > 0 ? string.Create(CultureInfo.InvariantCulture, $"{minutes}m{seconds:0.###}s")
            : string.Create(CultureInfo.InvariantCulture, $"{seconds:0.###}s");
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
