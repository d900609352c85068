using Penstock.Configuration;

namespace Penstock.Gateway;

/// <summary>The section <c>gateway</c>.</summary>
internal sealed record GatewayOptions
{
    /// <summary>Largest request body in bytes; default 32 MiB.</summary>
    public long MaxBodyBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>Silence after which a stream's first ping goes out, in seconds; default 1. Until then an error can still be an HTTP status.</summary>
    public TimeSpan FirstPing { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Silence between later pings, in seconds; default 1.</summary>
    public TimeSpan Ping { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Call models that have no price and book them at 0, marked <c>unpriced</c>; default false.</summary>
    public bool AllowUnpriced { get; init; }

    /// <summary>
    /// How long an answer is heard whose client left, where its provider bills on all the same, in seconds; default 600, 0 for not at all. What has not come to
    /// its end by then is booked at the most it can have cost.
    /// </summary>
    public TimeSpan HearLeft { get; init; } = TimeSpan.FromMinutes(10);

    public static GatewayOptions Read(ConfigRead file)
    {
        var options = new GatewayOptions();
        if (file.Section("gateway") is not { } section) return options;

        file.Try<object?>(() => { section.AllowOnly("maxBodyBytes", "firstPingSeconds", "pingSeconds", "allowUnpriced", "hearLeftSeconds"); return null; }, null);
        return new GatewayOptions
        {
            MaxBodyBytes = file.Try(() => section.Optional("maxBodyBytes")?.WholeLong(1024, 1024 * 1024 * 1024) ?? options.MaxBodyBytes, options.MaxBodyBytes),
            FirstPing = file.Try(() => Seconds("firstPingSeconds") ?? options.FirstPing, options.FirstPing),
            Ping = file.Try(() => Seconds("pingSeconds") ?? options.Ping, options.Ping),
            AllowUnpriced = file.Try(() => section.Optional("allowUnpriced")?.Flag() ?? false, false),
            HearLeft = file.Try(() => section.Optional("hearLeftSeconds") is { } left ? TimeSpan.FromSeconds(left.Number(0, 3600)) : options.HearLeft, options.HearLeft),
        };

        TimeSpan? Seconds(string name) => section.Optional(name) is { } value ? TimeSpan.FromSeconds(value.Number(0.05, 3600)) : null;
    }
}
