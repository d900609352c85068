using System.Globalization;
using System.Reflection;
using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Usage;

/// <summary>The section <c>prices</c>: <c>{version, models: {"provider/model": {input, output, cacheRead, cacheWrite, cacheWrite1h}}}</c> in USD per million tokens.</summary>
public sealed class PriceSection : IConfigSection
{
    private const decimal PicosPerMicro = 1_000_000m;
    private const string LongContextPrefix = "inputAbove";

    private static readonly string[] RateNames = ["input", "output", "cacheRead", "cacheWrite", "cacheWrite1h"];

    private readonly PriceTable _shipped = ReadShipped();

    public PriceSection() => Current = _shipped;

    public PriceTable Current { get; private set; }

    public IReadOnlyList<string> Names { get; } = ["prices"];

    public Action Read(ConfigRead file)
    {
        if (file.Section("prices") is not { } prices) return () => Current = _shipped;

        var models = _shipped.Models.ToDictionary(model => model.Model);
        file.Try<object?>(() => { prices.AllowOnly("version", "models"); return null; }, null);
        var version = file.Try(() => prices.Required("version").NonEmptyText(), "");
        foreach (var (name, entry) in file.Try(() => prices.Required("models").Members().ToArray(), []))
        {
            if (file.Try(() => ReadOverride(name, entry, _shipped), null) is { } price) models[name] = price;
        }

        return () => Current = new PriceTable(version, models);
    }

    private static ModelPrice ReadOverride(string name, JsonView entry, PriceTable shipped)
    {
        entry.AllowOnly(RateNames);
        _ = entry.Required("input");
        var classes = new Dictionary<string, Rates> { [ModelPrice.Standard] = ReadRates(entry, default) };
        // Left out, the output would be free; only embeddings have none.
        if (shipped.Find(name) is { Mode: not "embedding" }) _ = entry.Required("output");
        if (shipped.Find(name) is { } known) return known with { Classes = classes, LongContexts = [] };

        var slash = name.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash == name.Length - 1) throw entry.Bad("is no model of the shipped table; name it 'provider/model'");
        return new ModelPrice { Model = name, Vendor = name[..slash], Mode = entry.Optional("output") is null ? "embedding" : "chat", Classes = classes };
    }

    private static PriceTable ReadShipped()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("prices.json")!;
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        var root = JsonView.Parse(bytes.ToArray());
        return new PriceTable(root.Required("version").Text(), root.Required("models").Members().Select(member => ReadModel(member.Name, member.Value)).ToDictionary(model => model.Model));
    }

    private static ModelPrice ReadModel(string name, JsonView entry)
    {
        var usd = entry.Required("usdPerMillionTokens");
        var standard = ReadRates(usd.Required(ModelPrice.Standard), default);
        var classes = new Dictionary<string, Rates>();
        var longer = new List<LongContext>();
        foreach (var (key, rates) in usd.Members())
        {
            // A class that leaves a rate out charges the standard one.
            if (key.StartsWith(LongContextPrefix, StringComparison.Ordinal)) longer.Add(new LongContext(Thousands(key), ReadRates(rates, standard)));
            else classes[key] = ReadRates(rates, standard);
        }

        return new ModelPrice
        {
            Model = name,
            Vendor = entry.Required("provider").Text().Split('_')[0],
            Mode = entry.Required("mode").Text(),
            Classes = classes,
            LongContexts = longer,
            MaxOutputTokens = entry.Optional("maxOutputTokens")?.Whole(),
            Reasons = entry.Optional("reasoning")?.Flag() ?? false,
            ContextTokens = entry.Optional("contextTokens")?.Whole(),
        };
    }

    private static long Thousands(string key) => long.Parse(key[LongContextPrefix.Length..^1], CultureInfo.InvariantCulture) * 1000;

    private static Rates ReadRates(JsonView rates, Rates otherwise)
    {
        var input = Pico("input") ?? otherwise.Input;
        var write = Pico("cacheWrite") ?? Math.Max(otherwise.CacheWrite5m, input);
        return new Rates(
            input,
            Pico("cacheRead") ?? (otherwise.CacheRead > 0 ? otherwise.CacheRead : input),
            write,
            Pico("cacheWrite1h") ?? Math.Max(otherwise.CacheWrite1h, write),
            Pico("output") ?? otherwise.Output);

        long? Pico(string name) => rates.Optional(name) is { } usd ? (long)decimal.Ceiling(usd.Decimal(0, 1_000_000) * PicosPerMicro) : null;
    }
}
