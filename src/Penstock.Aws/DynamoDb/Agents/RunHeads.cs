using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// What changes a head alone. Each change leaves its token in <c>by</c>: whoever is refused, because their own first try was written and its answer lost,
/// finds it there. One that was overtaken since then finds another's, and has lost the run anyway.
/// </summary>
internal sealed class RunHeads(DynamoDatabase database)
{
    private const string IsAsSeen = "#epoch = :seen AND #beat = :beat AND #status < :ended AND attribute_not_exists(#gone) AND ";
    private const string OfOwner = IsAsSeen + "#owner = :owner";
    private const string OfNobody = IsAsSeen + "attribute_not_exists(#owner)";

    // Due since it was made, as long as somebody has it: a run whose owner dies is seen by all.
    private const string Own = """
        SET #epoch = :epoch, #owner = :mine, #beat = :zero, #status = :running, #wakeAt = #createdAt, #due = :due, #dueKey = #createdKey, #crashes = #crashes + :crashed, #by = :token
        REMOVE #waitsFor
        """;

    private const string IsOwned = "#epoch = :epoch AND #status = :running AND attribute_exists(#owner) AND #by <> :token";
    private const string Live = "SET #beat = #beat + :one, #by = :token";

    private const string IsDead = "#status = :dead AND attribute_not_exists(#gone)";
    private const string SendOn = "SET #status = :queued, #wakeAt = :now, #due = :due, #dueKey = :dueKey, #crashes = :zero, #by = :token REMOVE #endedAt, #error, #owner";

    public async Task<Item?> GetAsync(TenantId tenant, RunId run, CancellationToken ct) => await database.GetAsync(database.Tables.Runs, RunKeys.HeadKey(tenant, run), ct);

    public Task<RunRecord?> AcquireAsync(RunRecord seen, string owner, bool crashed, CancellationToken ct)
    {
        var values = new Item().Set(":seen", seen.Epoch).Set(":beat", seen.Beat).Set(":ended", (long)RunStatus.Completed).Set(":owner", seen.Owner)
            .Set(":epoch", seen.Epoch + 1).Set(":mine", owner).Set(":zero", 0).Set(":running", (long)RunStatus.Running).Set(":crashed", crashed ? 1 : 0)
            .Set(":due", RunKeys.Due(DueKinds.Open, seen.Id));
        return ChangeAsync(seen.Tenant, seen.Id, Own, seen.Owner is null ? OfNobody : OfOwner, values, ct);
    }

    public Task<RunRecord?> RenewAsync(TenantId tenant, RunId run, long epoch, CancellationToken ct) =>
        ChangeAsync(tenant, run, Live, IsOwned, new Item().Set(":epoch", epoch).Set(":running", (long)RunStatus.Running).Set(":one", 1), ct);

    public async Task<bool> RedriveAsync(TenantId tenant, RunId run, DateTimeOffset now, CancellationToken ct)
    {
        var due = RunItem.Due(run, RunStatus.Queued, now, null)!.Value;
        var values = new Item().Set(":dead", (long)RunStatus.Dead).Set(":queued", (long)RunStatus.Queued).Set(":now", RunItem.Time(now)).Set(":due", due.Partition).Set(":dueKey", due.Key).Set(":zero", 0);
        return await ChangeAsync(tenant, run, SendOn, IsDead, values, ct) is not null;
    }

    /// <summary>The run as the change left it; null where it did not meet the condition.</summary>
    private async Task<RunRecord?> ChangeAsync(TenantId tenant, RunId run, string update, string condition, Item values, CancellationToken ct)
    {
        var (token, key) = (database.NewToken(), RunKeys.HeadKey(tenant, run));
        try
        {
            var (changed, item) = await database.ChangeAsync(database.Tables.Runs, key, update, condition, values.Set(":token", token), ct);
            return changed || item.TextOrNull("by") == token ? RunItem.Read(item) : null;
        }
        catch (DynamoBusyException)
        {
            if (await database.GetAsync(database.Tables.Runs, key, ct) is { } there && there.TextOrNull("by") == token) return RunItem.Read(there);
            throw;
        }
    }
}
