using Microsoft.Extensions.Logging;
using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Keys.Jwt;

/// <summary>Reads the section <c>issuers</c>: name → whose tokens are believed.</summary>
internal sealed class IssuerSection(JwksHttp http, TimeProvider time, ILogger<IssuerSection> log) : IConfigSection
{
    private const int LongestText = 512;

    public TrustedIssuers Current { get; private set; } = new(new Dictionary<string, TrustedIssuer>());

    public IReadOnlyList<string> Names { get; } = ["issuers"];

    public Action Read(ConfigRead file)
    {
        var issuers = new Dictionary<string, Issuer>(StringComparer.Ordinal);
        foreach (var (name, entry) in file.Members("issuers"))
        {
            if (file.Try(() => ReadIssuer(name, entry), null) is not { } issuer) continue;
            if (!issuers.TryAdd(issuer.Url, issuer)) file.Fail($"'{entry.Path}.issuer' is the issuer of another entry too; each has one.");
        }

        return () =>
        {
            // Keys are kept where the address is the same, so that a change of rules asks nobody anything.
            var kept = Current.Issuers.Values.Select(issuer => issuer.Keys).ToArray();
            Current = new TrustedIssuers(issuers.ToDictionary(
                issuer => issuer.Key,
                issuer => new TrustedIssuer(issuer.Value, kept.FirstOrDefault(keys => keys.AreOf(issuer.Key, issuer.Value.JwksUrl)) ?? new IssuerKeys(issuer.Key, issuer.Value.JwksUrl, http, time, log)),
                StringComparer.Ordinal));
        };
    }

    private static Issuer ReadIssuer(string name, JsonView entry)
    {
        if (!PlainName.Is(name)) throw entry.Bad($"{PlainName.Rule} in its name");
        entry.AllowOnly("issuer", "jwksUrl", "audiences", "clientIds", "tokenUse", "algorithms", "clockSkewSeconds", "maxLifetimeMinutes", "scopeClaim", "scopePrefix", "scopes", "defaultScopes",
            "tenant", "tenantClaim", "project", "projectClaim", "monthlyBudget", "requestsPerSecond", "burst", "tokensPerMinute", "concurrency", "models");
        var url = ReadUrl(entry.Required("issuer"));
        var usual = new Issuer { Name = name, Url = url.Text, Template = ReadTemplate(name, entry) };
        var issuer = usual with
        {
            JwksUrl = entry.Optional("jwksUrl") is { } jwks ? ReadJwksUrl(jwks, url.Address) : null,
            Audiences = Texts(entry, "audiences"),
            ClientIds = Texts(entry, "clientIds"),
            TokenUse = entry.Optional("tokenUse")?.OneOf("access", "id") ?? (IsCognito(url.Address) ? "access" : null),
            Algorithms = entry.Optional("algorithms") is { } algorithms ? ReadAlgorithms(algorithms) : usual.Algorithms,
            ClockSkew = entry.Optional("clockSkewSeconds") is { } skew ? TimeSpan.FromSeconds(skew.Number(0, 300)) : usual.ClockSkew,
            LongestLife = entry.Optional("maxLifetimeMinutes") is { } life ? TimeSpan.FromMinutes(life.Number(0.1, 24 * 60)) : usual.LongestLife,
        };
        return issuer.Audiences.Count + issuer.ClientIds.Count > 0
            ? ReadMeaning(issuer, entry)
            : throw entry.Bad("needs 'audiences' or 'clientIds': without them every token of the issuer would be good here, for whomever it was made");
    }

    /// <summary>What a token that is good is good for.</summary>
    private static Issuer ReadMeaning(Issuer usual, JsonView entry) => usual with
    {
        ScopeClaim = entry.Optional("scopeClaim")?.ShortText(LongestText) ?? usual.ScopeClaim,
        ScopePrefix = entry.Optional("scopePrefix")?.ShortText(LongestText) ?? usual.ScopePrefix,
        ScopeMap = entry.Optional("scopes") is { } map ? map.Members().ToDictionary(scope => scope.Name, scope => ReadScopes(scope.Value)) : usual.ScopeMap,
        DefaultScopes = entry.Optional("defaultScopes") is { } scopes ? ReadScopes(scopes) : usual.DefaultScopes,
        Tenant = Name(entry, "tenant") is { } tenant ? new TenantId(tenant) : usual.Tenant,
        TenantClaim = Claim(entry, "tenantClaim", "tenant"),
        Project = Name(entry, "project") is { } project ? new ProjectId(project) : usual.Project,
        ProjectClaim = Claim(entry, "projectClaim", "project"),
    };

    /// <summary>As the fields of a key: see KeyEndpoints.</summary>
    private static KeyRecord ReadTemplate(string name, JsonView entry) => new()
    {
        Tenant = TenantId.Default,
        Project = ProjectId.Default,
        Id = default,
        Name = name,
        Hash = default,
        Scopes = Scopes.None,
        CreatedAt = default,
        MonthlyBudget = entry.Optional("monthlyBudget") is { } budget ? Money.FromUsd(budget.Decimal(0, 1_000_000_000)) : null,
        RequestsPerSecond = entry.Optional("requestsPerSecond")?.Number(0.001, 1_000_000),
        Burst = entry.Optional("burst")?.Whole(1, 1_000_000),
        TokensPerMinute = entry.Optional("tokensPerMinute")?.Whole(1),
        Concurrency = entry.Optional("concurrency")?.Whole(1, 1_000_000),
        Models = Texts(entry, "models"),
    };

    private static (string Text, Uri Address) ReadUrl(JsonView issuer) => Uri.TryCreate(issuer.Text(), UriKind.Absolute, out var url) && HookUrl.Is(url) && url.Query.Length + url.Fragment.Length == 0
        ? (issuer.Text(), url)
        : throw issuer.Bad("must be an https URL without a user, a query or a fragment (http only for this machine)");

    private static Uri ReadJwksUrl(JsonView jwks, Uri issuer) => Uri.TryCreate(jwks.Text(), UriKind.Absolute, out var url) && HookUrl.Is(url) && (!url.IsLoopback || issuer.IsLoopback)
        ? url
        : throw jwks.Bad("must be an https URL without a user (http only where the issuer too is on this machine)");

    private static bool IsCognito(Uri issuer) => issuer.Host.StartsWith("cognito-idp.", StringComparison.Ordinal) && issuer.Host.EndsWith(".amazonaws.com", StringComparison.Ordinal);

    private static string[] ReadAlgorithms(JsonView list)
    {
        string[] known = [.. SignatureAlgorithm.All.Select(algorithm => algorithm.Name)];
        string[] names = [.. list.Items().Select(item => item.OneOf(known))];
        return names.Length > 0 ? names : throw list.Bad("must name at least one algorithm");
    }

    private static Scopes ReadScopes(JsonView scopes) => scopes.Kind == System.Text.Json.JsonValueKind.String ? ScopeNames.Read(scopes) : scopes.Items().Aggregate(Scopes.None, (all, name) => all | ScopeNames.Read(name));

    private static string[] Texts(JsonView entry, string name) => entry.Optional(name)?.Items().Select(item => item.ShortText(LongestText)).ToArray() ?? [];

    private static string? Name(JsonView entry, string field) => entry.Optional(field) is not { } name ? null : PlainName.Is(name.Text()) ? name.Text() : throw name.Bad(PlainName.Rule);

    private static string? Claim(JsonView entry, string field, string otherwise) => entry.Optional(field) is not { } claim ? null
        : entry.Optional(otherwise) is null ? claim.ShortText(LongestText) : throw claim.Bad($"stands in the place of '{otherwise}'; give one of them");
}
