using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Penstock.Configuration;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Keys.Jwt;

/// <summary>The issuer's keys could not be had; the message says why and may stand in a log.</summary>
internal sealed class IssuerUnreachableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Reads the documents of issuers: from https, or from this machine where the issuer is on it; bounded in size and time; no redirect is followed. What a document
/// names as the next address is held to the same.
/// </summary>
internal sealed class JwksHttp(TimeProvider time) : IDisposable
{
    private const int LargestDocument = 256 * 1024;
    private const int MostKeys = 100;

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private readonly HttpMessageInvoker _connections = new(PlainConnections.Create());

    /// <summary>Its usable keys; throws <see cref="IssuerUnreachableException"/>.</summary>
    /// <param name="jwksUrl">Where they are; null to ask the issuer (OpenID Connect Discovery 1.0, section 4).</param>
    public async Task<IReadOnlyList<SigningKey>> FetchAsync(string issuer, Uri? jwksUrl, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(Longest, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            var keys = await GetAsync(jwksUrl ?? await DiscoverAsync(issuer, stop.Token), stop.Token);
            return [.. keys.Required("keys").Items().Take(MostKeys).Select(TryRead).OfType<SigningKey>()];
        }
        catch (RefusedException e)
        {
            throw new IssuerUnreachableException($"a document is not what it must be: {e.Refusal.Message}", e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            // Also the handler's own time-out of a connection.
            throw new IssuerUnreachableException(string.Create(CultureInfo.InvariantCulture, $"it took longer than {Longest.TotalSeconds} s"), e);
        }
        catch (HttpRequestException e)
        {
            throw new IssuerUnreachableException($"it could not be reached ({e.HttpRequestError})", e);
        }
        catch (IOException e)
        {
            throw new IssuerUnreachableException("the connection broke", e);
        }
    }

    public void Dispose() => _connections.Dispose();

    private async Task<Uri> DiscoverAsync(string issuer, CancellationToken ct)
    {
        var address = new Uri(issuer.TrimEnd('/') + "/.well-known/openid-configuration");
        var document = await GetAsync(address, ct);
        if (document.Required("issuer").Text() != issuer) throw new IssuerUnreachableException("its discovery document is of another issuer");
        return Uri.TryCreate(document.Required("jwks_uri").Text(), UriKind.Absolute, out var url) && HookUrl.Is(url) && (!url.IsLoopback || address.IsLoopback)
            ? url
            : throw new IssuerUnreachableException("its discovery document names an address of its keys that is not https");
    }

    private async Task<JsonView> GetAsync(Uri url, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Penstock", null));
        using var answer = await _connections.SendAsync(request, ct);
        if (answer.StatusCode != HttpStatusCode.OK) throw new IssuerUnreachableException(string.Create(CultureInfo.InvariantCulture, $"{url.AbsolutePath} answered {(int)answer.StatusCode}"));

        await using var body = await answer.Content.ReadAsStreamAsync(ct);
        var bytes = new byte[LargestDocument + 1];
        var length = await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, ct);
        return length <= LargestDocument ? JsonView.Parse(bytes.AsMemory(0, length)) : throw new IssuerUnreachableException($"{url.AbsolutePath} is larger than {LargestDocument} bytes");
    }

    /// <summary>A key that is malformed is no reason to do without the others.</summary>
    private static SigningKey? TryRead(JsonView jwk)
    {
        try
        {
            return jwk.Kind == JsonValueKind.Object ? SigningKey.Read(jwk) : null;
        }
        catch (RefusedException)
        {
            return null;
        }
    }
}
