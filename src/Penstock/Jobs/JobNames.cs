using System.Globalization;
using System.Text.RegularExpressions;
using Penstock.Kernel;

namespace Penstock.Jobs;

/// <summary>Names of states, ids and places in a list, as clients see them.</summary>
internal static partial class JobNames
{
    private static readonly string[] States = ["queued", "running", "completed", "failed", "dead", "cancelled"];
    private static readonly string[] Hooks = ["none", "pending", "delivered", "failed"];

    public static string Of(JobState state) => States[(int)state];

    public static string Of(JobHook hook) => Hooks[(int)hook];

    public static JobState State(string text) => Array.IndexOf(States, text) is >= 0 and var found
        ? (JobState)found
        : throw new RefusedException(Refusal.Invalid("state", $"'state' must be one of {string.Join(", ", States)}."));

    /// <summary>Null for what no job is ever called.</summary>
    public static JobId? Id(string text) => Pattern().IsMatch(text) ? new JobId(text) : null;

    public static string Cursor(JobRecord job) => string.Create(CultureInfo.InvariantCulture, $"{job.CreatedAt.ToUnixTimeMilliseconds()}-{job.Id}");

    public static (DateTimeOffset CreatedAt, JobId Id) Cursor(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        // 253402300799999 is the last millisecond there is.
        return dash > 0 && long.TryParse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var at) && at <= 253_402_300_799_999 && Id(text[(dash + 1)..]) is { } id
            ? (DateTimeOffset.FromUnixTimeMilliseconds(at), id)
            : throw new RefusedException(Refusal.Invalid("cursor", "'cursor' must be the cursor of an answer of this route. Leave it out to begin with the newest."));
    }

    [GeneratedRegex(@"^job_[0-9a-f]{24}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
