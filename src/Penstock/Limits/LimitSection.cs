using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Limits;

/// <summary>Reads the section <c>limits</c>.</summary>
internal sealed class LimitSection : IConfigSection
{
    /// <summary>The routes that count and can be limited; a test holds the list to them.</summary>
    public static readonly IReadOnlyList<string> Routes =
    [
        "/ai", "/mcp", "/v1/agents/run", "/v1/agents/runs/{id}/fork", "/v1/agents/stream", "/v1/chat/completions", "/v1/classify", "/v1/complete", "/v1/embed", "/v1/embeddings", "/v1/extract", "/v1/jobs", "/v1/messages", "/v1/messages/count_tokens",
        "/v1/stream", "/v1/suggest", "/v1/summarise", "/v1/summarize", "/v1/tools/{name}",
    ];

    public IReadOnlyList<string> Names { get; } = ["limits"];

    public LimitOptions Current { get; private set; } = new();

    public Action Read(ConfigRead file)
    {
        var options = file.Section("limits") is { } limits ? Read(file, limits) : new LimitOptions();
        return () => Current = options;
    }

    private static LimitOptions Read(ConfigRead file, JsonView limits)
    {
        var usual = new LimitOptions();
        var tier = AllowanceOf(file, limits, "keys", "projects", "tenants", "routes", "leaseMinutes");
        return new LimitOptions
        {
            EachKey = tier.Or(usual.EachKey),
            Keys = Named(file, limits, "keys"),
            Projects = Named(file, limits, "projects", shared: true),
            Tenants = Named(file, limits, "tenants", shared: true),
            Routes = Named(file, limits, "routes", shared: true, known: Routes),
            LeaseFor = file.Try(() => limits.Optional("leaseMinutes") is { } minutes ? TimeSpan.FromMinutes(minutes.Number(0.1, 24 * 60)) : usual.LeaseFor, usual.LeaseFor),
        };
    }

    /// <param name="shared">What stands over many keys has no rate that it could take a burst's from.</param>
    private static Dictionary<string, Allowance> Named(ConfigRead file, JsonView limits, string section, bool shared = false, IReadOnlyList<string>? known = null)
    {
        var found = new Dictionary<string, Allowance>(StringComparer.Ordinal);
        foreach (var (name, view) in file.Try(() => limits.Optional(section)?.Members().ToArray(), null) ?? [])
        {
            if (known?.Contains(name) == false) file.Fail($"'{view.Path}' is no route that is limited. Known: {string.Join(", ", known)}.");
            var allowance = AllowanceOf(file, view);
            if (shared && allowance is { Burst: not null, RequestsPerSecond: null }) file.Fail($"'{view.Path}' has a burst and needs requestsPerSecond too.");
            found[name] = shared ? allowance with { Burst = allowance.Burst ?? OneSecond(allowance.RequestsPerSecond) } : allowance;
        }

        return found;
    }

    private static int? OneSecond(double? rate) => rate is { } perSecond ? (int)Math.Ceiling(perSecond) : null;

    private static Allowance AllowanceOf(ConfigRead file, JsonView view, params string[] beside)
    {
        file.Try<object?>(() => { view.AllowOnly(["requestsPerSecond", "burst", "tokensPerMinute", "concurrency", .. beside]); return null; }, null);
        return new Allowance
        {
            RequestsPerSecond = file.Try(() => view.Optional("requestsPerSecond")?.Number(0.001, 1_000_000), null),
            Burst = file.Try(() => view.Optional("burst")?.Whole(1, 1_000_000), null),
            TokensPerMinute = file.Try(() => view.Optional("tokensPerMinute")?.Whole(1), null),
            Concurrency = file.Try(() => view.Optional("concurrency")?.Whole(1, 1_000_000), null),
        };
    }
}
