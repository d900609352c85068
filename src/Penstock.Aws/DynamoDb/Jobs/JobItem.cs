using System.Globalization;
using Penstock.Jobs;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Jobs;

/// <summary>
/// Where the items of <c>ai-jobs</c> stand.
/// <code>
/// t#T#j#J   head              the job; in by-due while it has not ended or its news are pending, and then until it is dropped
///           p#token#number    a piece of what was asked or answered, that the head names the token of
/// t#T#jobs  time#id           a job, for lists
/// </code>
/// <c>gone</c> stands on the head once the job is being dropped.
/// </summary>
internal static class JobItem
{
    /// <summary>Over how many partitions of the index jobs are spread.</summary>
    public const int Shards = 4;

    public const string Open = "open";
    public const string Ended = "ended";

    /// <summary>What a change sets, or removes where it is not given.</summary>
    public static readonly IReadOnlyList<string> Changing =
        ["state", "hook", "attempts", "updatedAt", "owner", "leaseUntil", "endedAt", "keepUntil", "status", "type", "code", "error", "cost", "due", "dueKey"];

    private static string Tenant(TenantId tenant) => $"t#{KeyPart.Of(tenant.Value)}";

    public static string Partition(TenantId tenant, JobId id) => $"{Tenant(tenant)}#j#{KeyPart.Of(id.Value)}";

    public static string List(TenantId tenant) => $"{Tenant(tenant)}#jobs";

    public static Item HeadKey(TenantId tenant, JobId id) => Item.Key(Partition(tenant, id), "head");

    public static Item PieceKey(string partition, string token, int number) => Item.Key(partition, string.Create(CultureInfo.InvariantCulture, $"p#{token}#{number:D4}"));

    public static Item ListKey(JobRecord job) => Item.Key(List(job.Tenant), At(job.CreatedAt, job.Id));

    /// <summary>By time and then by id.</summary>
    public static string At(DateTimeOffset at, JobId id) => $"{At(at)}#{KeyPart.Of(id.Value)}";

    /// <summary>Before every key of the moment.</summary>
    public static string At(DateTimeOffset at) => at.ToUnixTimeMilliseconds().ToString("D15", CultureInfo.InvariantCulture);

    /// <summary>After every key of the moment, and before all of the next.</summary>
    public static string After(DateTimeOffset at) => $"{At(at)}$";

    public static string Due(string what, int shard) => string.Create(CultureInfo.InvariantCulture, $"{what}#{shard}");

    public static Item Write(JobRecord job) => Change(HeadKey(job.Tenant, job.Id), "", job)
        .Set("tenant", job.Tenant.Value).Set("job", job.Id.Value).Set("version", job.Version).Set("key", job.Key.Value).Set("project", job.Project.Value).Set("authority", job.Authority)
        .Set("path", job.Path).Set("webhook", job.Webhook).Set("createdAt", job.CreatedAt.ToUnixTimeMilliseconds()).Set("keep", (long)job.Keep.TotalMilliseconds);

    /// <summary>Sets what <see cref="Changing"/> names, as far as it is given, each behind <paramref name="prefix"/>.</summary>
    public static Item Change(Item item, string prefix, JobRecord job)
    {
        item.Set($"{prefix}state", (long)job.State).Set($"{prefix}hook", (long)job.Hook).Set($"{prefix}attempts", job.Attempts).Set($"{prefix}updatedAt", job.UpdatedAt.ToUnixTimeMilliseconds())
            .Set($"{prefix}owner", job.Owner).Set($"{prefix}leaseUntil", job.LeaseUntil?.ToUnixTimeMilliseconds()).Set($"{prefix}endedAt", job.EndedAt?.ToUnixTimeMilliseconds())
            .Set($"{prefix}keepUntil", job.KeepUntil?.ToUnixTimeMilliseconds()).Set($"{prefix}status", (long?)job.Status).Set($"{prefix}type", job.ContentType).Set($"{prefix}code", job.ErrorCode)
            .Set($"{prefix}error", job.Error).Set($"{prefix}cost", job.Cost.NanoDollars);
        if (DueOf(job) is not var (what, at)) return item;
        return item.Set($"{prefix}due", Due(what, KeyPart.Shard(job.Id.Value, Shards))).Set($"{prefix}dueKey", $"{At(at)}#{Partition(job.Tenant, job.Id)}");
    }

    /// <summary>Null where there is none, or it is being dropped.</summary>
    public static JobRecord? ReadOrNull(Item? item) => item is null || !item.Has("job") || item.Has("gone") ? null : Read(item);

    public static JobRecord Read(Item item) => new()
    {
        Tenant = new TenantId(item.Text("tenant")),
        Id = new JobId(item.Text("job")),
        Version = item.Long("version"),
        Key = new KeyId(item.Text("key")),
        Project = new ProjectId(item.Text("project")),
        Authority = item.TextOrNull("authority"),
        Path = item.Text("path"),
        Webhook = item.TextOrNull("webhook"),
        Hook = (JobHook)item.Long("hook"),
        State = (JobState)item.Long("state"),
        Attempts = (int)item.Long("attempts"),
        CreatedAt = Time(item.Long("createdAt")),
        UpdatedAt = Time(item.Long("updatedAt")),
        Owner = item.TextOrNull("owner"),
        LeaseUntil = TimeOrNull(item.LongOrNull("leaseUntil")),
        EndedAt = TimeOrNull(item.LongOrNull("endedAt")),
        Keep = TimeSpan.FromMilliseconds(item.Long("keep")),
        KeepUntil = TimeOrNull(item.LongOrNull("keepUntil")),
        Status = item.IntOrNull("status"),
        ContentType = item.TextOrNull("type"),
        ErrorCode = item.TextOrNull("code"),
        Error = item.TextOrNull("error"),
        Cost = new Money(item.Long("cost")),
    };

    private static (string What, DateTimeOffset At)? DueOf(JobRecord job) =>
        !job.Ended || job.Hook == JobHook.Pending ? (Open, job.UpdatedAt)
        : job.KeepUntil is { } until ? (Ended, until)
        : null;

    private static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    private static DateTimeOffset? TimeOrNull(long? milliseconds) => milliseconds is { } at ? Time(at) : null;
}
