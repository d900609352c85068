using Microsoft.Extensions.Logging;
using Penstock.Kernel;

namespace Penstock.Keys.Jwt;

/// <summary>
/// The public keys of one issuer, as it last gave them. They are asked for again in the background, and at once where a token names a key that is not among
/// them: by one request at a time, and not more often than every <see cref="AskAgain"/>, however many such tokens come. Where the issuer cannot be reached, the
/// keys last had serve for <see cref="Usable"/>; after that nothing is believed.
/// </summary>
internal sealed partial class IssuerKeys(string issuer, Uri? jwksUrl, JwksHttp http, TimeProvider time, ILogger log)
{
    /// <summary>Age at which they are asked for again.</summary>
    public static readonly TimeSpan Refresh = TimeSpan.FromMinutes(10);

    /// <summary>Age up to which they serve.</summary>
    public static readonly TimeSpan Usable = TimeSpan.FromHours(1);

    public static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private volatile Held? _held;
    private volatile bool _failed;
    private Task? _asking;
    private long? _askedAt;

    /// <summary>Whether these are the keys of this issuer at this address.</summary>
    public bool AreOf(string otherIssuer, Uri? otherUrl) => issuer == otherIssuer && jwksUrl == otherUrl;

    /// <summary>Whether it is one of the issuer's keys still.</summary>
    public bool Holds(SigningKey key) => Current() is { } keys && keys.Contains(key);

    /// <summary>Keys that could have made the signature, never none. Throws 401 where the issuer has no such key, 503 where nobody can say.</summary>
    public async ValueTask<IReadOnlyList<SigningKey>> FindAsync(string? name, SignatureAlgorithm algorithm, CancellationToken ct)
    {
        if (Fitting(name, algorithm) is { Count: > 0 } known) return known;

        await AskAsync().WaitAsync(ct);
        if (Fitting(name, algorithm) is { Count: > 0 } found) return found;
        if (_failed || Current() is null) throw Unreachable();
        throw TokenText.Refused(name is null ? "The token names no key (kid), and its issuer has none of its own for the algorithm." : "The token was signed with a key that its issuer does not have (kid).");
    }

    /// <summary>Asks the issuer where that is due. Never throws for what the issuer does.</summary>
    public Task RefreshAsync(CancellationToken ct) => _held is { } held && time.GetElapsedTime(held.At) < Refresh ? Task.CompletedTask : AskAsync().WaitAsync(ct);

    private List<SigningKey>? Fitting(string? name, SignatureAlgorithm algorithm)
    {
        if (Current() is not { } keys) return null;
        var fitting = keys.Where(key => key.Fits(algorithm)).ToList();
        // Without a name only where there is no choice: to try each would be to let the token choose.
        if (name is null) return fitting.Count == 1 ? fitting : [];
        return [.. fitting.Where(key => key.Name == name)];
    }

    private IReadOnlyList<SigningKey>? Current() => _held is { } held && time.GetElapsedTime(held.At) < Usable ? held.Keys : null;

    /// <summary>Everybody who needs it waits for the same request; it does not end with any of them.</summary>
    private Task AskAsync()
    {
        lock (_lock)
        {
            if (_asking is { IsCompleted: false } asking) return asking;
            if (_askedAt is { } at && time.GetElapsedTime(at) < AskAgain) return Task.CompletedTask;
            _askedAt = time.GetTimestamp();
            return _asking = LoadAsync();
        }
    }

    private async Task LoadAsync()
    {
        var at = time.GetTimestamp();
        try
        {
            var keys = await http.FetchAsync(issuer, jwksUrl, CancellationToken.None);
            var known = _held?.Keys ?? [];
            // A key that stays stays the same object, so that what it signed is known to be signed by it.
            _held = new Held([.. keys.Select(key => known.FirstOrDefault(key.Is) ?? key)], at);
            _failed = false;
        }
        catch (IssuerUnreachableException e)
        {
            _failed = true;
            LogUnreachable(log, issuer, e.Message);
        }
    }

    private static RefusedException Unreachable() => new(new Refusal(RefusalKind.Unavailable, "issuer_unavailable",
        "The token's issuer cannot be asked for its keys, so nobody can say whether the token is good. Try again in a moment.") { RetryAfter = AskAgain });

    [LoggerMessage(Level = LogLevel.Warning, Message = "The keys of issuer {Issuer} could not be read: {Reason}")]
    private static partial void LogUnreachable(ILogger log, string issuer, string reason);

    private sealed record Held(IReadOnlyList<SigningKey> Keys, long At);
}
