using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// A run's head as an item. <c>due</c> and <c>dueKey</c> put it into by-due while it is open with a time to wake, or has ended; <c>by</c> is the token of
/// whoever wrote it last, by which that one knows its own work after a time-out; <c>posted</c> and <c>folded</c> count the items of its inbox; <c>gone</c>
/// stands once it is being swept away.
/// </summary>
internal static class RunItem
{
    /// <param name="first">Token of its first entries, where they stand apart.</param>
    public static Item Write(RunRecord run, int entries, string token, string? first)
    {
        var item = RunKeys.HeadKey(run.Tenant, run.Id)
            .Set("tenant", run.Tenant.Value)
            .Set("run", run.Id.Value)
            .Set("project", run.Project.Value)
            .Set("key", run.Key.Value)
            .Set("agent", run.Agent)
            .Set("version", run.Version)
            .Set("hash", run.Hash)
            .Set("conversation", run.Conversation)
            .Set("user", run.EndUser)
            .Set("parent", run.Parent?.Value)
            .Set("path", run.Path)
            .Set("limit", run.Limit.NanoDollars)
            .Set("createdAt", Time(run.CreatedAt))
            .Set("createdKey", RunKeys.At(run.CreatedAt, run.Id))
            .Set("status", (long)run.Status)
            .Set("endedAt", Time(run.EndedAt))
            .Set("error", run.Error)
            .Set("waitsFor", run.WaitsFor)
            .Set("wakeAt", Time(run.WakeAt))
            .Set("epoch", run.Epoch)
            .Set("owner", run.Owner)
            .Set("beat", run.Beat)
            .Set("nextSeq", entries)
            .Set("steps", run.Steps)
            .Set("crashes", run.Crashes)
            .Set("cancel", run.CancelRequested)
            .Set("posted", 0)
            .Set("folded", 0)
            .Set("by", token)
            .Set("first", first)
            .Set("firstCount", first is null ? null : (long?)entries);
        return Due(run.Id, run.Status, run.WakeAt, run.EndedAt) is { } due ? item.Set("due", due.Partition).Set("dueKey", due.Key) : item;
    }

    /// <summary>Null where there is none, or it is being swept away.</summary>
    public static RunRecord? ReadOrNull(Item? item) => item is null || item.Has("gone") ? null : Read(item);

    public static RunRecord Read(Item item) => new()
    {
        Tenant = new TenantId(item.Text("tenant")),
        Id = new RunId(item.Text("run")),
        Project = new ProjectId(item.Text("project")),
        Key = new KeyId(item.Text("key")),
        Agent = item.Text("agent"),
        Version = item.Text("version"),
        Hash = item.Text("hash"),
        Conversation = item.TextOrNull("conversation"),
        EndUser = item.TextOrNull("user"),
        Parent = item.TextOrNull("parent") is { } parent ? new RunId(parent) : null,
        Path = item.Text("path"),
        Limit = new Money(item.Long("limit")),
        CreatedAt = Time(item.Long("createdAt")),
        Status = (RunStatus)item.Long("status"),
        EndedAt = TimeOrNull(item.LongOrNull("endedAt")),
        Error = item.TextOrNull("error"),
        WaitsFor = item.TextOrNull("waitsFor"),
        WakeAt = TimeOrNull(item.LongOrNull("wakeAt")),
        Epoch = item.Long("epoch"),
        Owner = item.TextOrNull("owner"),
        Beat = item.Long("beat"),
        NextSeq = item.Long("nextSeq"),
        Steps = (int)item.Long("steps"),
        Crashes = (int)item.Long("crashes"),
        CancelRequested = item.Flag("cancel"),
    };

    /// <summary>Where by-due has it; null where it is due at no time.</summary>
    public static (string Partition, string Key)? Due(RunId run, RunStatus status, DateTimeOffset? wakeAt, DateTimeOffset? endedAt)
    {
        if (status >= RunStatus.Completed) return endedAt is { } end ? (RunKeys.Due(DueKinds.Ended, run), RunKeys.At(end, run)) : null;
        if (wakeAt is not { } wake) return null;
        return (RunKeys.Due(status == RunStatus.Queued ? DueKinds.Queued : DueKinds.Open, run), RunKeys.At(wake, run));
    }

    public static long Time(DateTimeOffset at) => at.ToUnixTimeMilliseconds();

    public static long? Time(DateTimeOffset? at) => at?.ToUnixTimeMilliseconds();

    public static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    /// <summary>As it comes back: to the millisecond, UTC.</summary>
    public static DateTimeOffset Kept(DateTimeOffset at) => Time(Time(at));

    private static DateTimeOffset? TimeOrNull(long? milliseconds) => milliseconds is { } at ? Time(at) : null;
}
