using Penstock.Kernel;

namespace Penstock.Keys.Jwt;

/// <summary>Whose tokens are believed, and what they are good for: one entry of the section <c>issuers</c>.</summary>
internal sealed record Issuer
{
    /// <summary>As configuration names it.</summary>
    public required string Name { get; init; }

    /// <summary>The claim <c>iss</c>, to the letter.</summary>
    public required string Url { get; init; }

    /// <summary>Where its keys are; null to ask its discovery document.</summary>
    public Uri? JwksUrl { get; init; }

    /// <summary>One of them must be in <c>aud</c>; none where <see cref="ClientIds"/> says enough.</summary>
    public IReadOnlyList<string> Audiences { get; init; } = [];

    /// <summary>One of them must be <c>client_id</c>. Cognito's access tokens have this and no audience.</summary>
    public IReadOnlyList<string> ClientIds { get; init; } = [];

    /// <summary>What <c>token_use</c> must be; null where it is not looked at.</summary>
    public string? TokenUse { get; init; }

    /// <summary>Names of the algorithms it may sign with.</summary>
    public IReadOnlyList<string> Algorithms { get; init; } = [.. SignatureAlgorithm.All.Select(algorithm => algorithm.Name)];

    /// <summary>By how much its clock may differ from ours; default 30 s.</summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest time from <c>iat</c> to <c>exp</c>; default 15 minutes.</summary>
    public TimeSpan LongestLife { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>The claim that holds scopes, as a text with blanks between them or as a list.</summary>
    public string ScopeClaim { get; init; } = "scope";

    /// <summary>Taken off each scope; one that does not begin so counts nothing. Cognito puts its resource server's name there.</summary>
    public string ScopePrefix { get; init; } = "";

    /// <summary>What each of its scopes means here, after <see cref="ScopePrefix"/>.</summary>
    public IReadOnlyDictionary<string, Scopes> ScopeMap { get; init; } = new Dictionary<string, Scopes>();

    /// <summary>What a token without any scope that counts is good for.</summary>
    public Scopes DefaultScopes { get; init; }

    public TenantId Tenant { get; init; } = TenantId.Default;

    /// <summary>The claim that names the tenant in the place of <see cref="Tenant"/>.</summary>
    public string? TenantClaim { get; init; }

    public ProjectId Project { get; init; } = ProjectId.Default;

    public string? ProjectClaim { get; init; }

    /// <summary>Limits of each of its callers, in the fields of a key.</summary>
    public required KeyRecord Template { get; init; }

    /// <summary>Not given to a token unless <see cref="ScopeMap"/> or <see cref="DefaultScopes"/> says so.</summary>
    public const Scopes NeverImplied = Scopes.Admin | Scopes.Operator;
}
