using Penstock.Configuration;

namespace Penstock.Limits;

/// <summary>Limits of a key that sets none of its own.</summary>
/// <param name="RequestsPerSecond">Refill of the bucket; default 50.</param>
/// <param name="Burst">Size of the bucket in requests; default 200.</param>
internal sealed record LimitOptions(double RequestsPerSecond = 50, int Burst = 200);

/// <summary>The section <c>limits</c>.</summary>
internal sealed class LimitSection : IConfigSection
{
    public IReadOnlyList<string> Names { get; } = ["limits"];

    public LimitOptions Current { get; private set; } = new();

    public Action Read(ConfigRead file)
    {
        var options = new LimitOptions();
        if (file.Section("limits") is { } limits)
        {
            file.Try<object?>(() => { limits.AllowOnly("requestsPerSecond", "burst"); return null; }, null);
            options = new LimitOptions(
                file.Try(() => limits.Optional("requestsPerSecond")?.Number(0.001, 1_000_000) ?? options.RequestsPerSecond, options.RequestsPerSecond),
                file.Try(() => limits.Optional("burst")?.Whole(1, 1_000_000) ?? options.Burst, options.Burst));
        }

        return () => Current = options;
    }
}
