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

public sealed class RouterTests
{
    private readonly PriceSection _prices = new();
    private RoutingSection? _section;

    [Theory]
    [InlineData("fast", "anthropic.claude-haiku-4-5-20251001-v1:0", 1024, 1024)]
    [InlineData("standard", "anthropic.claude-sonnet-4-20250514-v1:0", 4096, 4096)]
    // It writes no more than that, and refuses to be asked for it.
    [InlineData("reasoning", "meta.llama3-1-70b-instruct-v1:0", 4096, 2048)]
    public void A_tiers_first_target_and_cap_are_those_documented(string tier, string model, int cap, int sent)
    {
        var shipped = RoutingTable.ShippedTiers.Single(route => route.Name == tier);
        Assert.Equal(new TargetName("bedrock", model), shipped.Targets[0].Name);
        Assert.Equal(cap, shipped.MaxOutputTokens);

        var target = Router("""{"providers": {"bedrock": {"kind": "openai"}}}""").Plan(tier, "chat", Key()).First;
        Assert.Equal(("bedrock", model), (target.Provider.Name, target.Model));
        Assert.Equal(sent, target.Cap(null));
        Assert.Equal(sent, target.Cap(100_000));
        Assert.Equal(5, target.Cap(5));
        Assert.Equal("bedrock", target.Price.Vendor);
    }

    [Fact]
    public void There_are_three_tiers() => Assert.Equal(["fast", "standard", "reasoning"], RoutingTable.ShippedTiers.Select(tier => tier.Name));

    [Theory]
    [InlineData("OPENAI_API_KEY", "openai", "gpt-4.1-mini", "gpt-4.1", "o4-mini")]
    [InlineData("ANTHROPIC_API_KEY", "anthropic", "claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-6")]
    [InlineData("", "local", "local", "local", "local")]
    public void Tiers_follow_the_vendor_that_is_configured(string variable, string provider, string fast, string standard, string reasoning)
    {
        var router = Router("{}", variable.Length == 0 ? [] : [(variable, "k")]);

        Assert.Equal([fast, standard, reasoning], new[] { "fast", "standard", "reasoning" }.Select(tier => router.Plan(tier, "chat", Key()).First.Model));
        Assert.All(["fast", "standard", "reasoning"], tier => Assert.Equal(provider, router.Plan(tier, "chat", Key()).First.Provider.Name));
    }

    [Fact]
    public void A_tier_is_remapped_by_configuration()
    {
        var router = Router("""{"tiers": {"fast": {"targets": ["bedrock/x", "openai/gpt-4o-mini"], "maxOutputTokens": 10}, "huge": {"targets": ["openai/gpt-4o"]}}}""", ("OPENAI_API_KEY", "k"));

        var fast = router.Plan("fast", "chat", Key()).First;
        Assert.Equal(("gpt-4o-mini", (int?)10), (fast.Model, fast.Cap(50)));
        var huge = router.Plan("huge", "chat", Key()).First;
        Assert.Equal(("gpt-4o", (int?)50, (int?)null), (huge.Model, huge.Cap(50), huge.Cap(null)));
        Assert.Equal("gpt-4.1", router.Plan("standard", "chat", Key()).First.Model);
    }

    [Theory]
    [InlineData("gpt-4o-mini", "openai", "OPENAI_API_KEY")]
    [InlineData("gpt-99-unheard-of", "openai", "OPENAI_API_KEY")]
    [InlineData("openai/gpt-4o", "openai", "OPENAI_API_KEY")]
    [InlineData("text-embedding-3-small", "openai", "OPENAI_API_KEY")]
    [InlineData("claude-haiku-4-5", "anthropic", "ANTHROPIC_API_KEY")]
    [InlineData("claude-of-tomorrow", "anthropic", "ANTHROPIC_API_KEY")]
    public void Without_its_vendors_key_a_model_is_refused_with_the_fix(string model, string vendor, string variable)
    {
        var refusal = Refused(Router("{}"), model);

        Assert.Equal((404, "provider_not_configured", "model"), (refusal.Status, refusal.Code, refusal.Field));
        Assert.Contains($"belongs to {vendor}", refusal.Message, StringComparison.Ordinal);
        Assert.EndsWith($"Set {variable}, or use model 'local'.", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_any_key_local_answers_by_its_own_name()
    {
        var target = Router("{}").Plan("local", "chat", Key()).First;

        Assert.Equal(("local", "local", Money.Zero), (target.Provider.Name, target.Model, target.Price.CostOf(TokenCounts.Of(1_000_000, 1_000_000), null)));
    }

    [Fact]
    public void An_alias_leads_where_it_says_and_stands_before_a_vendors_name()
    {
        var router = Router("""{"models": {"gpt-4o": {"target": "openai/gpt-4o-mini", "maxOutputTokens": 7}}}""", ("OPENAI_API_KEY", "k"));

        var target = router.Plan("gpt-4o", "chat", Key()).First;
        Assert.Equal(("gpt-4o-mini", (int?)7), (target.Model, target.Cap(8)));
        Assert.Equal("gpt-4o", router.Plan("openai/gpt-4o", "chat", Key()).First.Model);
    }

    [Fact]
    public void A_model_name_may_hold_slashes_after_the_provider()
    {
        var router = Router("""{"providers": {"groq": {"kind": "openai"}}, "gateway": {"allowUnpriced": true}}""");

        var target = router.Plan("groq/meta/llama/3", "chat", Key()).First;

        Assert.Equal(("groq", "meta/llama/3"), (target.Provider.Name, target.Model));
    }

    [Fact]
    public void A_model_without_a_price_is_refused_unless_allowed_and_then_marked()
    {
        const string Providers = "\"providers\": {\"groq\": {\"kind\": \"openai\"}}";
        var refusal = Refused(Router($"{{{Providers}}}"), "groq/llama");
        Assert.Equal((404, "model_unpriced", "model"), (refusal.Status, refusal.Code, refusal.Field));
        Assert.Contains("prices.models[\"groq/llama\"]", refusal.Message, StringComparison.Ordinal);

        var target = Router($"{{{Providers}, \"gateway\": {{\"allowUnpriced\": true}}}}").Plan("groq/llama", "chat", Key()).First;
        Assert.Equal(("unpriced", Money.Zero), (target.PriceVersion, target.Price.CostOf(TokenCounts.Of(5, 5), null)));
    }

    [Fact]
    public void A_price_is_the_providers_own_and_never_another_vendors()
    {
        var refusal = Refused(Router("""{"providers": {"groq": {"kind": "openai"}}}"""), "groq/gpt-4o-mini");

        Assert.Equal("model_unpriced", refusal.Code);
    }

    [Fact]
    public void Without_cost_tracking_nothing_costs_and_the_row_says_why()
    {
        var target = Router("{}", ("OPENAI_API_KEY", "k"), ("COST_TRACKING_ENABLED", "false")).Plan("gpt-4o", "chat", Key()).First;

        Assert.Equal(("off", Money.Zero), (target.PriceVersion, target.Price.CostOf(TokenCounts.Of(1_000_000, 1_000_000), null)));
    }

    [Theory]
    [InlineData("text-embedding-3-small", "chat", "/v1/embeddings")]
    [InlineData("gpt-4o", "embedding", "/v1/chat/completions")]
    [InlineData("o3-pro", "chat", "responses API")]
    public void A_model_of_another_mode_is_400_and_says_where_to_go(string model, string mode, string where)
    {
        var refusal = Refused(Router("{}", ("OPENAI_API_KEY", "k")), model, mode);

        Assert.Equal((400, "model"), (refusal.Status, refusal.Field));
        Assert.Contains(where, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt-4o-mini", null)]
    [InlineData("openai/gpt-4o-mini", null)]
    [InlineData("fast", null)]
    [InlineData("gpt-4o", "Key 'a' may not use 'gpt-4o'. It may use gpt-4o-mini, fast, openai/gpt-4o-mini.")]
    [InlineData("standard", "Key 'a' may not use 'standard'. It may use gpt-4o-mini, fast, openai/gpt-4o-mini.")]
    [InlineData("GPT-4o-mini", "")]
    public void A_keys_list_of_models_is_all_it_may_name(string model, string? message)
    {
        var router = Router("{}", ("OPENAI_API_KEY", "k"));
        var key = new Caller(Key().Key with { Models = ["gpt-4o-mini", "fast", "openai/gpt-4o-mini"] });

        var refused = Record.Exception(() => router.Plan(model, "chat", key)) as RefusedException;

        if (message is null) Assert.Null(refused);
        else if (message.Length == 0) Assert.Equal(404, refused!.Refusal.Status);
        else Assert.Equal((403, "model_not_allowed", message), (refused!.Refusal.Status, refused.Refusal.Code, refused.Refusal.Message));
    }

    [Fact]
    public void An_alias_is_no_way_round_a_keys_list()
    {
        var router = Router("""{"models": {"mine": {"target": "openai/gpt-4o"}}}""", ("OPENAI_API_KEY", "k"));

        Assert.Equal(403, Assert.Throws<RefusedException>(() => router.Plan("mine", "chat", new Caller(Key().Key with { Models = ["gpt-4o"] }))).Refusal.Status);
        Assert.Equal("gpt-4o", router.Plan("mine", "chat", new Caller(Key().Key with { Models = ["openai/gpt-4o"] })).First.Model);
    }

    public static TheoryData<string> HostileNames() =>
    [
        "", " ", "nobody", "/", "//", "/gpt-4o", "openai/", "openai", "local/\u001b[31m", "openai/gpt\r\nx-evil: 1", "gpt-\n", "claude-\0", "local/\ud83d", "\u202eopenai", "OPENAI/gpt-4o", "gpt-4o ",
        new string('x', 257), "local/" + new string('x', 251), "gpt-" + new string('9', 1_000_000), "x" + string.Concat(Enumerable.Repeat("\U0001f980", 200)), "..", "${jndi:x}", "' OR 1=1 --",
    ];

    [Theory]
    [MemberData(nameof(HostileNames))]
    public void A_hostile_name_is_404_and_its_answer_is_short(string name)
    {
        var refusal = Refused(Router("{}", ("OPENAI_API_KEY", "k")), name);

        Assert.Equal((404, "model"), (refusal.Status, refusal.Field));
        Assert.InRange(refusal.Message.Length, 1, 600);
        Assert.DoesNotContain(refusal.Message, char.IsControl);
        for (var i = 0; i < refusal.Message.Length; i++)
        {
            if (char.IsHighSurrogate(refusal.Message[i])) Assert.True(i + 1 < refusal.Message.Length && char.IsLowSurrogate(refusal.Message[++i]), "half of a surrogate pair");
        }
    }

    [Fact]
    public void Every_model_that_is_listed_can_be_planned_and_nothing_else_is()
    {
        var router = Router("""{"models": {"mine": {"target": "openai/gpt-4o"}, "lost": {"target": "anthropic/claude-haiku-4-5"}}}""", ("OPENAI_API_KEY", "k"));
        var models = router.Models();

        foreach (var (name, owner) in models)
        {
            var target = Record.Exception(() => router.Plan(name, "chat", Key())) is RefusedException { Refusal.Status: 400 } ? router.Plan(name, "embedding", Key()).First : router.Plan(name, "chat", Key()).First;
            Assert.Equal(owner, target.Provider.Name);
        }

        Assert.Equal(models.Count, models.Select(model => model.Name).Distinct().Count());
        Assert.Contains(("mine", "openai"), models);
        Assert.DoesNotContain(models, model => model.Name is "lost" or "o3-pro" || model.Owner == "anthropic");
    }

    [Fact]
    public void What_embeds_by_default_is_a_target()
    {
        var local = Router("{}");
        Assert.Equal("local", local.Plan(local.DefaultEmbedding, "embedding", Key()).First.Provider.Name);
        var open = Router("{}", ("OPENAI_API_KEY", "k"));
        Assert.Equal("text-embedding-3-small", open.Plan(open.DefaultEmbedding, "embedding", Key()).First.Model);
    }

    [Theory]
    [InlineData("""{"providers": {"": {"kind": "openai"}}}""", "providers.")]
    [InlineData("""{"providers": {"gr\u00f6\u00dfe": {"kind": "openai"}}}""", "providers.gr\u00f6\u00dfe")]
    [InlineData("""{"providers": {"a b": {"kind": "openai"}}}""", "providers.a b")]
    [InlineData("""{"providers": {"groq": {}}}""", "providers.groq")]
    [InlineData("""{"providers": {"groq": {"kind": "openai", "baseUrl": "groq.test"}}}""", "providers.groq.baseUrl")]
    [InlineData("""{"providers": {"groq": {"kind": "openai", "idleTimeoutSeconds": 0}}}""", "providers.groq.idleTimeoutSeconds")]
    [InlineData("""{"providers": {"groq": {"kind": "openai", "key": "x"}}}""", "providers.groq.key")]
    [InlineData("""{"tiers": {"fast": {"targets": ["gpt-4o"]}}}""", "tiers.fast.targets[0]")]
    [InlineData("""{"tiers": {"fast": {"targets": ["openai/"]}}}""", "tiers.fast.targets[0]")]
    [InlineData("""{"tiers": {"fast": {"targets": ["grok/x"]}}}""", "tiers.fast.targets[0]")]
    [InlineData("""{"tiers": {"fast": {"targets": ["openai/x"], "maxOutputTokens": 0}}}""", "tiers.fast.maxOutputTokens")]
    [InlineData("""{"models": {"m": {"target": ["openai/x"]}}}""", "models.m.target")]
    [InlineData("""{"models": {"m": "openai/x"}}""", "models.m")]
    [InlineData("""{"gateway": {"maxBodyBytes": 1}}""", "gateway.maxBodyBytes")]
    [InlineData("""{"gateway": {"firstPingSeconds": 1e9}}""", "gateway.firstPingSeconds")]
    public void A_bad_route_is_refused_by_name(string json, string field)
    {
        var section = new RoutingSection([new ScriptedKind("openai"), new ScriptedKind("local", Dialect.Native)], Sections.Environment());

        Assert.Contains($"'{field}'", Assert.Single(section.Read(json)), StringComparison.Ordinal);
    }

    private Router Router(string config, params (string, string?)[] environment)
    {
        var keys = Sections.Environment(environment);
        _section = new RoutingSection([new ScriptedKind("openai"), new ScriptedKind("anthropic", Dialect.Anthropic), new ScriptedKind("local", Dialect.Native)], keys);
        Assert.Empty(_section.Read(config));
        return new Router(_section, _prices, keys, new TargetStates(_section, new ManualTime()), new Chance(), new MasterKeys(keys, NullLogger<MasterKeys>.Instance));
    }

    private static Caller Key() => new(Callers.Key(Callers.Text("a"), DateTimeOffset.UnixEpoch));

    private static Refusal Refused(Router router, string model, string mode = "chat") => Assert.Throws<RefusedException>(() => router.Plan(model, mode, Key())).Refusal;
}
