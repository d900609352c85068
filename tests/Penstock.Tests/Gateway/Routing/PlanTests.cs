using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Gateway.Routing;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Configuration;
using Penstock.Tests.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Routing;

/// <summary>What a name leads to, and in which order.</summary>
public sealed class PlanTests
{
    private readonly ManualTime _time = new();
    private RoutingSection _section = null!;
    private TargetStates _states = null!;

    [Theory]
    [InlineData("""{"target": "openai/gpt-4o", "fallbacks": ["anthropic/claude-haiku-4-5"]}""", "openai/gpt-4o anthropic/claude-haiku-4-5")]
    [InlineData("""{"targets": ["openai/gpt-4o", "anthropic/claude-haiku-4-5"]}""", "openai/gpt-4o anthropic/claude-haiku-4-5")]
    [InlineData("""{"targets": [{"target": "openai/gpt-4o", "totalTimeoutSeconds": 5}, "local/local"]}""", "openai/gpt-4o local/local")]
    [InlineData("""{"targets": ["bedrock/x", "openai/gpt-4o", "bedrock/y", "anthropic/claude-haiku-4-5"]}""", "openai/gpt-4o anthropic/claude-haiku-4-5")]
    [InlineData("""{"targets": ["openai/unpriced", "openai/text-embedding-3-small", "openai/gpt-4o"]}""", "openai/gpt-4o")]
    public void Targets_are_planned_in_order_without_those_that_nobody_could_call(string alias, string planned)
    {
        var plan = Router($$"""{"models": {"mine": {{alias}} } }""").Plan("mine", "chat", Key());

        Assert.Equal(planned, string.Join(' ', plan.Targets.Select(target => target.Name)));
        Assert.Null(plan.Decision);
    }

    [Fact]
    public void A_tier_falls_back_to_another_vendor_and_never_to_the_local_provider()
    {
        Assert.Equal("anthropic/claude-haiku-4-5 openai/gpt-4.1-mini", string.Join(' ', Router("{}").Plan("fast", "chat", Key()).Targets.Select(target => target.Name)));
        Assert.Equal("openai/gpt-4.1-mini", string.Join(' ', Router("{}", ("OPENAI_API_KEY", "k")).Plan("fast", "chat", Key()).Targets.Select(target => target.Name)));
        Assert.Equal("local/local", string.Join(' ', Router("{}", ("X", "k")).Plan("fast", "chat", Key()).Targets.Select(target => target.Name)));
    }

    [Theory]
    [InlineData("gpt-4o")]
    [InlineData("openai/gpt-4o")]
    public void A_models_own_name_may_be_given_fallbacks(string name)
    {
        var router = Router($$"""{"models": {"{{name}}": {"fallbacks": ["anthropic/claude-haiku-4-5"], "maxOutputTokens": 9} } }""");

        var plan = router.Plan(name, "chat", Key());
        Assert.Equal("openai/gpt-4o anthropic/claude-haiku-4-5", string.Join(' ', plan.Targets.Select(target => target.Name)));
        Assert.All(plan.Targets, target => Assert.Equal(9, target.MaxOutputTokens));
        Assert.Single(router.Models(), model => model.Name == "gpt-4o");
        Assert.Single(router.Plan("gpt-4o-mini", "chat", Key()).Targets);
    }

    [Fact]
    public void Weights_share_the_calls_and_what_has_none_comes_after()
    {
        var router = Router("""{"models": {"mine": {"strategy": "weighted", "targets": [{"target": "openai/gpt-4o", "weight": 3}, "local/local", {"target": "openai/gpt-4.1", "weight": 1}]}}}""");

        var plans = Enumerable.Range(0, 4_000).Select(_ => router.Plan("mine", "chat", Key())).ToArray();

        Assert.InRange(plans.Count(plan => plan.First.Model == "gpt-4o"), 2_850, 3_150);
        Assert.All(plans, plan => Assert.Equal((3, "local", "weighted"), (plan.Targets.Count, plan.Targets[2].Model, plan.Decision)));
        Assert.All(plans, plan => Assert.Equal(3, plan.Targets.Select(target => target.Name).Distinct().Count()));

        // One that is left alone takes no share, and is there if all others fail.
        Cool(plans[0].Targets.Single(target => target.Model == "gpt-4o"));
        Assert.All(Enumerable.Range(0, 200), _ => Assert.Equal(["gpt-4.1", "gpt-4o", "local"], router.Plan("mine", "chat", Key()).Targets.Select(target => target.Model)));
    }

    [Fact]
    public void The_fastest_is_preferred_and_the_others_are_looked_at_now_and_then()
    {
        var router = Router("""{"models": {"mine": {"strategy": "latency", "targets": ["openai/gpt-4o", "openai/gpt-4.1", "local/local"]}}}""");
        var targets = router.Plan("mine", "chat", Key()).Targets.OrderBy(target => target.Model, StringComparer.Ordinal).ToArray();
        Measure(targets[0], 300);
        Measure(targets[1], 500);
        Assert.Equal(targets[2].Name, MostOften());
        Measure(targets[2], 900);
        Assert.Equal(targets[0].Name, MostOften());

        var first = Enumerable.Range(0, 4_000).Select(_ => router.Plan("mine", "chat", Key())).ToArray();
        Assert.InRange(first.Count(plan => plan.First.Name != targets[0].Name), 120, 290);
        Assert.Equal(3, first.Select(plan => plan.First.Name).Distinct().Count());
        Cool(targets[0]);
        Assert.Equal(targets[1].Name, MostOften());

        TargetName MostOften() => Enumerable.Range(0, 200).Select(_ => router.Plan("mine", "chat", Key()).First.Name).GroupBy(name => name).MaxBy(group => group.Count())!.Key;
    }

    [Fact]
    public void A_callers_own_key_plans_one_provider()
    {
        var plan = Router("""{"models": {"mine": {"targets": ["openai/gpt-4o", "anthropic/claude-haiku-4-5", "openai/gpt-4.1"]}}}""").Plan("mine", "chat", Key(), "sk-mine");

        Assert.Equal(["gpt-4o", "gpt-4.1"], plan.Targets.Select(target => target.Model));
        Assert.All(plan.Targets, target => Assert.Equal(("sk-mine", true), (((ScriptedProvider)target.Provider).Settings.ApiKey, target.OwnKey)));
    }

    [Fact]
    public void Time_outs_are_the_targets_own_and_else_its_providers()
    {
        var plan = Router("""
            {
              "providers": { "openai": { "kind": "openai", "connectTimeoutSeconds": 1, "firstByteTimeoutSeconds": 2, "idleTimeoutSeconds": 3, "totalTimeoutSeconds": 4 } },
              "models": { "mine": { "targets": [{ "target": "openai/gpt-4o", "firstByteTimeoutSeconds": 9 }, "openai/gpt-4.1"] } }
            }
            """).Plan("mine", "chat", Key());

        Assert.Equal(new CallTimeouts(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(4)), plan.First.Timeouts);
        Assert.Null(plan.Targets[1].Timeouts);
        Assert.Equal(new CallTimeouts(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(4)), ((ScriptedProvider)plan.Targets[1].Provider).Settings.Timeouts);
    }

    [Fact]
    public void A_targets_state_survives_a_reload_that_leaves_it_as_it_was()
    {
        const string Same = """{"providers": {"openai": {"kind": "openai", "apiKey": "one"}}}""";
        var router = Router(Same);
        Cool(router.Plan("gpt-4o", "chat", Key()).First);

        Assert.Empty(_section.Read("""{"providers": {"openai": {"kind": "openai", "apiKey": "one"}, "other": {"kind": "openai"}}, "routing": {"failuresToOpen": 2}}"""));
        Assert.False(router.Plan("gpt-4o", "chat", Key()).First.Health.Ready);
        Assert.Empty(_section.Read("""{"providers": {"openai": {"kind": "openai", "apiKey": "two"}}}"""));
        Assert.True(router.Plan("gpt-4o", "chat", Key()).First.Health.Ready);
        Assert.DoesNotContain(_states.All(), health => !health.Ready);
    }

    [Fact]
    public void What_is_kept_of_names_that_clients_make_up_has_an_end()
    {
        var router = Router("""{"gateway": {"allowUnpriced": true}}""");
        for (var i = 0; i < 10_000; i++) router.Plan($"openai/made-up-{i}", "chat", Key());

        Assert.InRange(_states.All().Count, 1, 4_200);
    }

    [Theory]
    [InlineData("""{"models": {"m": {"maxOutputTokens": 5}}}""", "models.m.target")]
    [InlineData("""{"models": {"m": {"target": "openai/x", "targets": ["openai/y"]}}}""", "models.m.targets")]
    [InlineData("""{"models": {"m": {"targets": []}}}""", "models.m.targets")]
    [InlineData("""{"models": {"m": {"targets": ["openai/x", "openai/x"]}}}""", "models.m.targets")]
    [InlineData("""{"models": {"m": {"targets": [{"target": "openai/x", "weight": 0}], "strategy": "weighted"}}}""", "models.m.targets[0].weight")]
    [InlineData("""{"models": {"m": {"targets": [{"target": "openai/x", "weight": 1}]}}}""", "models.m")]
    [InlineData("""{"models": {"m": {"targets": ["openai/x"], "strategy": "weighted"}}}""", "models.m.strategy")]
    [InlineData("""{"models": {"m": {"target": "openai/x", "fallbacks": [{"target": "openai/y", "weight": 1}]}}}""", "models.m.fallbacks")]
    [InlineData("""{"models": {"m": {"targets": ["openai/x"], "strategy": "best"}}}""", "models.m.strategy")]
    [InlineData("""{"tiers": {"fast": {"targets": [{"target": "openai/x", "timeout": 1}]}}}""", "tiers.fast.targets[0].timeout")]
    [InlineData("""{"tiers": {"fast": {"targets": ["openai/x"], "fallbacks": ["openai/y"]}}}""", "tiers.fast.fallbacks")]
    [InlineData("""{"providers": {"openai": {"kind": "openai", "totalTimeoutSeconds": 0}}}""", "providers.openai.totalTimeoutSeconds")]
    [InlineData("""{"routing": {"retries": 11}}""", "routing.retries")]
    [InlineData("""{"routing": {"breaker": true}}""", "routing.breaker")]
    [InlineData("""{"routing": {"failuresToOpen": 0}}""", "routing.failuresToOpen")]
    [InlineData("""{"routing": {"open": 1}}""", "routing.open")]
    public void A_bad_plan_is_refused_by_name(string json, string field) =>
        Assert.Contains($"'{field}'", Assert.Single(new RoutingSection([new ScriptedKind("openai")], Sections.Environment()).Read(json)), StringComparison.Ordinal);

    private Router Router(string config, params (string, string?)[] environment)
    {
        var keys = Sections.Environment(environment.Length > 0 ? environment : [("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]);
        _section = new RoutingSection([new ScriptedKind("openai"), new ScriptedKind("anthropic", Dialect.Anthropic), new ScriptedKind("local", Dialect.Native)], keys);
        Assert.Empty(_section.Read(config));
        _states = new TargetStates(_section, _time);
        var seeded = new SeededSource(7);
        return new Router(_section, new PriceSection(), keys, _states, new Chance(bytes => { for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)seeded.Below(256); }), new MasterKeys(keys, NullLogger<MasterKeys>.Instance));
    }

    private void Measure(Target target, int ms)
    {
        using var call = target.Health.TryEnter().Call!;
        _time.Advance(TimeSpan.FromMilliseconds(ms));
        call.Heard(_time);
    }

    private static void Cool(Target target)
    {
        using var call = target.Health.TryEnter().Call!;
        call.Failed(new ProviderException(ProviderFault.QuotaSpent, "no", 402), new Refusal(RefusalKind.ProviderFailed, "provider_quota_spent", "no"));
    }

    private static Caller Key() => new(Callers.Key(Callers.Text("a"), DateTimeOffset.UnixEpoch));
}
