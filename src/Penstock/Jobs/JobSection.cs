using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Jobs;

/// <summary>Reads the section <c>jobs</c>.</summary>
internal sealed class JobSection : IConfigSection
{
    private static readonly JobOptions Usual = new();

    public JobOptions Current { get; private set; } = Usual;

    public IReadOnlyList<string> Names { get; } = ["jobs"];

    public Action Read(ConfigRead file)
    {
        var options = file.Section("jobs") is { } section ? Read(file, section) : Usual;
        return () => Current = options;
    }

    private static JobOptions Read(ConfigRead file, JsonView section)
    {
        file.Try<object?>(() => { section.AllowOnly("concurrency", "maxAttempts", "leaseSeconds", "backoffSeconds", "keepHours", "webhookSecret"); return null; }, null);
        return new JobOptions
        {
            Concurrency = Whole(file, section, "concurrency", 0, 10_000, Usual.Concurrency),
            MaxAttempts = Whole(file, section, "maxAttempts", 1, 100, Usual.MaxAttempts),
            Lease = TimeSpan.FromSeconds(Whole(file, section, "leaseSeconds", 1, 3_600, (int)Usual.Lease.TotalSeconds)),
            Backoff = TimeSpan.FromSeconds(Whole(file, section, "backoffSeconds", 0, 600, (int)Usual.Backoff.TotalSeconds)),
            Keep = TimeSpan.FromHours(Whole(file, section, "keepHours", 1, Jobs.LongestKeptHours, (int)Usual.Keep.TotalHours)),
            WebhookSecret = file.Try(() => section.Optional("webhookSecret") is { } secret ? HookSecret.Read(secret) : null, null),
        };
    }

    private static int Whole(ConfigRead file, JsonView section, string name, int least, int most, int usual) =>
        file.Try(() => section.Optional(name)?.Whole(least, most) ?? usual, usual);
}
