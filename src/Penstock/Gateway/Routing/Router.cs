using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Penstock.Configuration;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Usage;

namespace Penstock.Gateway.Routing;

/// <summary>Turns a model's name into a plan of targets. The name is, in this order: an alias, a tier, <c>provider/model</c>, or a vendor's own.</summary>
internal sealed partial class Router(RoutingSection section, PriceSection prices, EnvironmentKeys environment, TargetStates states, Chance chance, MasterKeys masterKeys)
{
    /// <summary>The caller's own key at the provider, for this one call.</summary>
    public const string OwnKeyHeader = "x-penstock-provider-key";

    private const int LongestName = 256;
    private const int LongestOwnKey = 512;
    private const string NoPrice = "unpriced";

    public const string Chat = "chat";
    public const string Embedding = "embedding";

    public GatewayOptions Options => section.Current.Options;

    /// <summary>Throws 404 for a name that leads nowhere, 403 for one the key may not use, 400 for a model of another mode.</summary>
    /// <param name="ownKey">The provider's key that the caller sent; null for those that are stored for them, else the platform's.</param>
    /// <param name="asked">The name that the client gave, where it left the choice to us; its key has to allow that one.</param>
    /// <param name="behind">The target in whose place it is asked; null for the first. Throws 403 where none may take its place.</param>
    public Plan Plan(string name, string mode, Caller caller, string? ownKey = null, string? asked = null, Target? behind = null)
    {
        asked ??= name;
        var table = section.Current;
        var route = Find(table, name);
        IReadOnlyList<Target> targets = Allowed(asked, Targets(table, route, mode), caller);
        targets = ownKey is null ? [.. targets.Select(target => WithStoredKey(table, target, caller))] : WithOwnKey(table, targets, name, ownKey, behind);
        if (behind is not null) targets = [.. targets.Where(behind.MayGiveWayTo)];
        if (targets.Count == 0) throw OnlyOwnKey(name, behind!);
        return Routing.Plan.Of(route.Strategy, targets, chance);
    }

    /// <summary>The caller's own key at the provider; null where none was sent. It goes nowhere but to that provider.</summary>
    public static string? OwnKeyOf(IHeaderDictionary headers)
    {
        if (headers[OwnKeyHeader].ToString() is not { Length: > 0 } key) return null;
        return key.Length <= LongestOwnKey && key.All(c => c is > ' ' and < '\x7f')
            ? key
            : throw new RefusedException(Refusal.Invalid(OwnKeyHeader, $"'{OwnKeyHeader}' must be one key of {LongestOwnKey} characters or fewer, without blanks."));
    }

    /// <summary>Whether the name is an alias's or a tier's.</summary>
    public bool IsNamed(string name) => section.Current.Aliases.ContainsKey(name) || section.Current.Tiers.ContainsKey(name);

    /// <summary>Whether the name leads to a target at all.</summary>
    public bool Knows(string name, string mode)
    {
        try
        {
            Targets(section.Current, Find(section.Current, name), mode);
            return true;
        }
        catch (RefusedException)
        {
            return false;
        }
    }

    /// <summary>Every name that leads to a target now, with who answers; tiers and aliases first.</summary>
    public IReadOnlyList<(string Name, string Owner)> Models()
    {
        var table = section.Current;
        var names = new List<(string, string)>();
        foreach (var route in table.Tiers.Values.Concat(table.Aliases.Values))
        {
            // An entry that only adds fallbacks to a vendor's own name is listed as that.
            if (!route.ByItsName && table.Configured(route) is [var first, ..]) names.Add((route.Name, first.Provider));
        }

        foreach (var provider in table.Providers.Values.Where(provider => provider.Dialect == Dialect.Native)) names.Add((provider.Name, provider.Name));
        names.AddRange(prices.Current.Models.Where(price => table.Providers.ContainsKey(price.Vendor) && price.Mode is Chat or Embedding).Select(price => (price.Model, price.Vendor)));
        return names;
    }

    /// <summary>Where each tier and alias leads now, a line each.</summary>
    public IReadOnlyList<string> Describe()
    {
        var table = section.Current;
        return [.. table.Tiers.Values.Concat(table.Aliases.Values).Select(route =>
        {
            var targets = table.Configured(route).Select(target => target.Name.ToString()).Prepend(route.ByItsName ? "its vendor" : "").Where(text => text.Length > 0).ToArray();
            var how = route.Strategy switch { Strategy.Weighted => ", by weight", Strategy.Latency => ", the fastest", _ => "" };
            return $"{route.Name} → {(targets.Length == 0 ? "nowhere: no provider of its targets is configured" : string.Join(", then ", targets))}{how}{(route.MaxOutputTokens is { } cap ? $", at most {cap} output tokens" : "")}";
        })];
    }

    /// <summary>Where embeddings go that name no model.</summary>
    public string DefaultEmbedding => section.Current.Providers.ContainsKey("openai") ? "text-embedding-3-small" : RoutingTable.Local;

    private NamedRoute Find(RoutingTable table, string name)
    {
        if (name.Length is 0 or > LongestName || !OneLine.Is(name))
            throw new RefusedException(new Refusal(RefusalKind.NotFound, "model_not_found", $"A model's name has 1 to {LongestName} characters, none of them a control character. GET /v1/models lists what there is.") { Field = "model" });
        if (table.Aliases.TryGetValue(name, out var alias)) return alias.ByItsName ? alias with { Targets = [ByItsName(table, name), .. alias.Targets] } : alias;
        return table.Tiers.TryGetValue(name, out var tier) ? tier : NamedRoute.Of(ByItsName(table, name));
    }

    private RouteTarget ByItsName(RoutingTable table, string name)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        if (slash > 0 && (table.Providers.ContainsKey(name[..slash]) || RoutingTable.Vendors.ContainsKey(name[..slash]))) return new RouteTarget(name[..slash], name[(slash + 1)..]);
        if (table.Providers.TryGetValue(name, out var inProcess) && inProcess.Dialect == Dialect.Native) return new RouteTarget(name, name);
        return VendorOf(name) is { } vendor ? new RouteTarget(vendor, name) : throw Unknown(name);
    }

    /// <summary>What can be called, in order. What cannot be, for want of a price or because it is of another mode, is left out where something else can.</summary>
    private List<Target> Targets(RoutingTable table, NamedRoute route, string mode)
    {
        var configured = table.Configured(route);
        if (configured.Count == 0) throw NotConfigured(route.Name, route.Targets[0].Provider);
        var targets = new List<Target>(configured.Count);
        RefusedException? first = null;
        foreach (var target in configured)
        {
            try
            {
                targets.Add(Configured(table, target, mode, route));
            }
            catch (RefusedException refused)
            {
                first ??= refused;
            }
        }

        return targets.Count > 0 ? targets : throw first!;
    }

    private Target Configured(RoutingTable table, RouteTarget named, string mode, NamedRoute route)
    {
        var (provider, name) = (table.Providers[named.Provider], named.Name);
        // What runs in this process bills nobody.
        if (provider.Dialect == Dialect.Native) return Make(ModelPrice.Free(name.Model), prices.Current.Version, known: true);

        var price = prices.Current.Find(name.Provider, name.Model);
        if (price is null && !table.Options.AllowUnpriced)
            throw new RefusedException(new Refusal(RefusalKind.NotFound, "model_unpriced", $"Model '{name}' has no price here, so its cost could not be booked. Add prices.models[\"{name}\"] to penstock.json, or set gateway.allowUnpriced.") { Field = "model" });
        if (price is not null && price.Mode != mode) throw new RefusedException(Refusal.Invalid("model", WrongMode(name.Model, price.Mode)));
        var version = price is null ? NoPrice : prices.Current.Version;
        return environment.CostTracking ? Make(price ?? ModelPrice.Free(name.Model), version, price is not null) : Make(ModelPrice.Free(name.Model), "off", price is not null);

        Target Make(ModelPrice rates, string priceVersion, bool known) =>
            new(provider, name.Model, Least(route.MaxOutputTokens, rates.MaxOutputTokens), rates, priceVersion, states.Of(table.Settings[named.Provider], name.Model, known || !route.Coined)) { Timeouts = named.Timeouts, Weight = named.Weight };
    }

    /// <summary>A cap of ours may be more than the model can write, which it would refuse; where we set none, the model is not second-guessed.</summary>
    private static int? Least(int? cap, int? model) => cap is { } ours && model is { } most ? Math.Min(ours, most) : cap;

    /// <summary>A key that may use the name may use all it leads to; any other only those targets that its list names.</summary>
    private static List<Target> Allowed(string name, List<Target> targets, Caller caller)
    {
        if (caller.Key.Models is not { Count: > 0 } allowed || allowed.Contains(name)) return targets;
        return targets.FindAll(target => allowed.Contains(target.Name.ToString())) is { Count: > 0 } some
            ? some
            : throw new RefusedException(new Refusal(RefusalKind.Forbidden, "model_not_allowed", $"Key '{caller.Key.Id}' may not use '{name}'. It may use {string.Join(", ", allowed)}.") { Field = "model" });
    }

    /// <summary>The caller's key goes to the provider of the first target and to no other.</summary>
    private static Target[] WithOwnKey(RoutingTable table, IReadOnlyList<Target> targets, string name, string ownKey, Target? behind)
    {
        var first = behind is null ? targets[0].Provider : table.Providers[behind.Provider.Name];
        if (first.Dialect == Dialect.Native) throw new RefusedException(Refusal.Invalid(OwnKeyHeader, $"'{OwnKeyHeader}' was sent, and model '{name}' runs in this process and takes no key. Leave the header out."));
        var provider = table.WithKey(first.Name, ownKey);
        return [.. targets.Where(target => target.Provider == first).Select(target => target with { Provider = provider, OwnKey = true })];
    }

    /// <summary>With the key that is stored for the caller at the target's provider, else the platform's as it is.</summary>
    private Target WithStoredKey(RoutingTable table, Target target, Caller caller) =>
        target.Provider.Dialect != Dialect.Native && masterKeys.Open(caller, target.Provider.Name) is { } key
            ? target with { Provider = table.WithKey(target.Provider.Name, key), OwnKey = true, StoredKey = true }
            : target;

    private static string WrongMode(string model, string mode) => mode switch
    {
        Embedding => $"Model '{model}' makes embeddings; call /v1/embeddings with it.",
        Chat => $"Model '{model}' answers chats; call /v1/chat/completions with it.",
        _ => $"Model '{model}' is served by its vendor's {mode} API only, which this route is not. Choose another model.",
    };

    private string? VendorOf(string model)
    {
        if (prices.Current.Find(model) is { Vendor.Length: > 0 } price) return price.Vendor;
        if (OpenAiName().IsMatch(model)) return "openai";
        return model.StartsWith("claude-", StringComparison.Ordinal) ? "anthropic" : null;
    }

    private static RefusedException OnlyOwnKey(string name, Target paid) =>
        new(new Refusal(RefusalKind.Forbidden, "own_key_only", $"The call is paid with the caller's own key at '{paid.Provider.Name}', and '{name}' has no target that it may go on to."));

    private static RefusedException Unknown(string name) =>
        new(new Refusal(RefusalKind.NotFound, "model_not_found", $"There is no model '{name}'. GET /v1/models lists what there is; 'provider/model' names any other.") { Field = "model" });

    private static RefusedException NotConfigured(string model, string vendor)
    {
        var fix = RoutingTable.Vendors.GetValueOrDefault(vendor) is { Length: > 0 } variable ? $"Set {variable}, or use model 'local'." : "This build does not reach it; use another model, or 'local'.";
        return new RefusedException(new Refusal(RefusalKind.NotFound, "provider_not_configured", $"Model '{model}' belongs to {vendor}, which is not configured here. {fix}") { Field = "model" });
    }

    [GeneratedRegex(@"^(gpt-|chatgpt-|o\d|text-embedding-)", RegexOptions.CultureInvariant)]
    private static partial Regex OpenAiName();
}
