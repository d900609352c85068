using Penstock.Configuration;

namespace Penstock.Gateway.Cache;

/// <summary>How answers are kept.</summary>
internal sealed record CacheOptions
{
    /// <summary>Whether a request that says nothing asks for the cache; default off.</summary>
    public bool On { get; init; }

    /// <summary>How long an answer may be given again, in seconds; default 86,400.</summary>
    public TimeSpan Ttl { get; init; } = TimeSpan.FromSeconds(86_400);

    /// <summary>How much is kept in all, in bytes; default 256 MiB. The oldest goes first.</summary>
    public long MaxBytes { get; init; } = 256 * 1024 * 1024;
}

/// <summary>The section <c>cache</c>.</summary>
internal sealed class CacheSection : IConfigSection
{
    public CacheOptions Current { get; private set; } = new();

    public IReadOnlyList<string> Names { get; } = ["cache"];

    public Action Read(ConfigRead file)
    {
        var options = new CacheOptions();
        if (file.Section("cache") is { } section)
        {
            file.Try<object?>(() => { section.AllowOnly("default", "ttlSeconds", "maxBytes"); return null; }, null);
            options = new CacheOptions
            {
                On = file.Try(() => section.Optional("default")?.OneOf("on", "off") == "on", options.On),
                Ttl = file.Try(() => section.Optional("ttlSeconds") is { } seconds ? TimeSpan.FromSeconds(seconds.Whole(1, 365 * 86_400)) : options.Ttl, options.Ttl),
                MaxBytes = file.Try(() => section.Optional("maxBytes")?.WholeLong(0, 1L << 40) ?? options.MaxBytes, options.MaxBytes),
            };
        }

        return () => Current = options;
    }
}
