using System.Globalization;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Limits;

/// <summary>All limits over one key at one route, made once and used for every request.</summary>
internal sealed class LimitPlan
{
    private readonly Scope[] _requestScopes;
    private readonly Scope[] _tokenScopes;
    private readonly Scope[] _slotScopes;

    public LimitPlan(KeyRecord key, LimitOptions options, string route)
    {
        (Key, Options) = (key, options);
        var scopes = ScopesOf(key, options, route).ToArray();
        _requestScopes = [.. scopes.Where(scope => scope.Allowed is { RequestsPerSecond: not null, Burst: not null })];
        _tokenScopes = [.. scopes.Where(scope => scope.Allowed.TokensPerMinute is not null)];
        _slotScopes = [.. scopes.Where(scope => scope.Allowed.Concurrency is not null)];
        Requests = [.. _requestScopes.Select(scope => new BucketTake(scope.Id + ":requests", scope.Allowed.Burst!.Value, scope.Allowed.RequestsPerSecond!.Value, 1))];
        Tokens = [.. _tokenScopes.Select(scope => new BucketTake(scope.Id + ":tokens", scope.Allowed.TokensPerMinute!.Value, scope.Allowed.TokensPerMinute.Value / 60.0, 0))];
        Slots = [.. _slotScopes.Select(scope => new SlotTake(scope.Id + ":calls", scope.Allowed.Concurrency!.Value))];
        Entry = [.. Requests, .. Tokens];
    }

    public KeyRecord Key { get; }

    public LimitOptions Options { get; }

    /// <summary>One request of each; there is always the key's own.</summary>
    public BucketTake[] Requests { get; }

    /// <summary>Nothing of each: the amount is the call's.</summary>
    public BucketTake[] Tokens { get; }

    public SlotTake[] Slots { get; }

    /// <summary>The requests to take, and the tokens to look at.</summary>
    public BucketTake[] Entry { get; }

    /// <param name="refusing">Index in <see cref="Requests"/>.</param>
    public Refusal TooOften(int refusing, TimeSpan wait)
    {
        var bucket = Requests[refusing];
        return Refuse("rate_limit_exceeded", wait, $"{_requestScopes[refusing].Name} may send {bucket.PerSecond:0.###} requests a second (burst {bucket.Size:0}). The next one passes in {Seconds(wait):0.00} s.");
    }

    /// <param name="refusing">Index in <see cref="Tokens"/>.</param>
    public Refusal TooManyTokens(int refusing, long tokens, TimeSpan wait) =>
        Refuse("token_limit_exceeded", wait, $"{_tokenScopes[refusing].Name} may use {Tokens[refusing].Size:0} tokens a minute, and this call may need {tokens}: its input and the longest answer it asks for. It passes in {Seconds(wait):0.00} s.");

    /// <param name="refusing">Index in <see cref="Slots"/>.</param>
    public Refusal TooManyCalls(int refusing) =>
        Refuse("concurrency_limit_exceeded", TimeSpan.FromSeconds(1), $"{_slotScopes[refusing].Name} may have {Slots[refusing].Most} calls in flight at once. Try again when one has ended.");

    private static Refusal Refuse(string code, TimeSpan wait, FormattableString message) =>
        new(RefusalKind.Limited, code, message.ToString(CultureInfo.InvariantCulture)) { RetryAfter = wait };

    /// <summary>Rounded up: whoever waits as long as the message says passes.</summary>
    private static double Seconds(TimeSpan wait) => Math.Ceiling(Math.Round(wait.TotalSeconds * 100, 3)) / 100;

    private static IEnumerable<Scope> ScopesOf(KeyRecord key, LimitOptions options, string route)
    {
        yield return new Scope($"key:{key.Id}", $"Key '{key.Id}'", AllowedTo(key, options));
        if ((options.Projects.GetValueOrDefault($"{key.Tenant}/{key.Project}") ?? options.Projects.GetValueOrDefault(key.Project.Value)) is { } project)
            yield return new Scope($"project:{key.Project}", $"Project '{key.Project}'", project);
        if (options.Tenants.GetValueOrDefault(key.Tenant.Value) is { } tenant) yield return new Scope("tenant", $"Tenant '{key.Tenant}'", tenant);
        if (options.Routes.GetValueOrDefault(route) is { } limited) yield return new Scope($"route:{route}", $"Route {route}", limited);
    }

    /// <summary>What is configured for this key, then what it sets itself, then what every key has.</summary>
    private static Allowance AllowedTo(KeyRecord key, LimitOptions options)
    {
        var own = new Allowance { RequestsPerSecond = key.RequestsPerSecond, Burst = key.Burst, TokensPerMinute = key.TokensPerMinute, Concurrency = key.Concurrency };
        return (options.Keys.GetValueOrDefault(key.Id.Value)?.Or(own) ?? own).Or(options.EachKey);
    }

    /// <param name="Id">As the names of its buckets begin.</param>
    /// <param name="Name">As a refusal names it.</param>
    private sealed record Scope(string Id, string Name, Allowance Allowed);
}
