using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Keys.Jwt;

/// <summary>What the claims of a token say under the rules of its issuer (RFC 7519, section 4.1). Its signature is somebody else's to check, and first.</summary>
internal static class TokenClaims
{
    private const int LongestSubject = 512;
    private const int IdBytes = 16;

    /// <summary>A day before the last that there is, so that what clocks may differ by can be added.</summary>
    private const long LastSecond = 253_402_214_399;

    /// <summary>The issuer that it names; null where it names none.</summary>
    public static string? IssuerOf(JsonView payload) => payload.Optional("iss") is { Kind: JsonValueKind.String } iss ? Text(iss) : null;

    /// <summary>The key that the token stands for until it expires. Throws 401 that names the claim.</summary>
    public static KeyRecord ReadKey(JsonView payload, Issuer issuer, DateTimeOffset now)
    {
        var (issued, expires) = ReadTimes(payload, issuer, now);
        CheckAudience(payload, issuer);
        if (issuer.TokenUse is { } use && Text(payload, "token_use") != use) throw Refused($"The token is for another use: its 'token_use' must be '{use}'.");
        var subject = Text(payload, "sub") is { Length: > 0 and <= LongestSubject } sub ? sub : throw Refused($"The token has no subject ('sub') of 1 to {LongestSubject} characters.");
        return issuer.Template with
        {
            Id = IdOf(issuer.Url, subject),
            Tenant = issuer.TenantClaim is { } tenant ? new TenantId(Named(payload, tenant, "tenant")) : issuer.Tenant,
            Project = issuer.ProjectClaim is { } project ? new ProjectId(Named(payload, project, "project")) : issuer.Project,
            Scopes = ReadScopes(payload, issuer),
            CreatedAt = issued,
            ExpiresAt = expires,
        };
    }

    /// <summary>The same for every token of one subject, and no virtual key's: those have no dash in their ids.</summary>
    public static KeyId IdOf(string issuer, string subject) =>
        new($"jwt-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{issuer}\n{subject}")).AsSpan(0, IdBytes))}");

    private static (DateTimeOffset Issued, DateTimeOffset Expires) ReadTimes(JsonView payload, Issuer issuer, DateTimeOffset now)
    {
        var expires = Time(payload, "exp") ?? throw Refused("The token never expires: it has no 'exp'.");
        if (now >= expires + issuer.ClockSkew) throw Refused("The token has expired ('exp').");
        if (Time(payload, "nbf") is { } start && now + issuer.ClockSkew < start) throw Refused("The token is not valid yet ('nbf').");
        var issued = Time(payload, "iat") ?? throw Refused("The token does not say when it was issued ('iat'), so that nobody can say how long it lives.");
        if (now + issuer.ClockSkew < issued) throw Refused("The token was issued in the future ('iat').");
        return expires - issued <= issuer.LongestLife ? (issued, expires) : throw Refused(FormattableString.Invariant($"The token lives longer than the {issuer.LongestLife.TotalMinutes} minutes that its issuer is allowed ('exp' after 'iat')."));
    }

    private static void CheckAudience(JsonView payload, Issuer issuer)
    {
        var audience = payload.Optional("aud");
        // A token that says for whom it is, is for nobody else (RFC 7519, section 4.1.3).
        if (issuer.Audiences.Count > 0 || audience is not null)
        {
            if (audience is not { } given || !Texts(given, "aud").Any(issuer.Audiences.Contains)) throw Refused("The token is for another audience ('aud').");
        }

        if (issuer.ClientIds.Count > 0 && !issuer.ClientIds.Contains(Text(payload, "client_id"))) throw Refused("The token was given to another client ('client_id').");
    }

    private static Scopes ReadScopes(JsonView payload, Issuer issuer)
    {
        var scopes = Scopes.None;
        var given = payload.Optional(issuer.ScopeClaim) is { } claim ? Texts(claim, issuer.ScopeClaim) : [];
        foreach (var text in given.SelectMany(text => text.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        {
            if (!text.StartsWith(issuer.ScopePrefix, StringComparison.Ordinal)) continue;
            var name = text[issuer.ScopePrefix.Length..];
            if (issuer.ScopeMap.TryGetValue(name, out var mapped)) scopes |= mapped;
            else if (ScopeNames.Find(name) is { } own) scopes |= own & ~Issuer.NeverImplied;
        }

        return scopes == Scopes.None ? issuer.DefaultScopes : scopes;
    }

    private static string Named(JsonView payload, string claim, string what) =>
        Text(payload, claim) is { } name && PlainName.Is(name) ? name : throw Refused($"The token names no {what}: its '{claim}' {PlainName.Rule}.");

    private static DateTimeOffset? Time(JsonView payload, string name)
    {
        if (payload.Optional(name) is not { } claim) return null;
        return claim.Kind == JsonValueKind.Number && claim.Element.TryGetDouble(out var seconds) && seconds is >= 0 and <= LastSecond
            ? DateTimeOffset.UnixEpoch + TimeSpan.FromSeconds(seconds)
            : throw Refused($"The token's '{name}' is no time in seconds since 1970.");
    }

    private static string? Text(JsonView payload, string name) => payload.Optional(name) is not { } claim ? null : claim.Kind == JsonValueKind.String ? Text(claim) : throw Refused($"The token's '{name}' is no text.");

    private static string[] Texts(JsonView claim, string name) => claim.Kind switch
    {
        JsonValueKind.String => [Text(claim)],
        JsonValueKind.Array when claim.Items().All(item => item.Kind == JsonValueKind.String) => [.. claim.Items().Select(Text)],
        _ => throw Refused($"The token's '{name}' is neither a text nor a list of texts."),
    };

    private static string Text(JsonView text)
    {
        try
        {
            return text.Text();
        }
        catch (RefusedException)
        {
            throw Refused("The token has a claim with half of a surrogate pair, which is no text.");
        }
    }

    private static RefusedException Refused(string message) => TokenText.Refused(message);
}
