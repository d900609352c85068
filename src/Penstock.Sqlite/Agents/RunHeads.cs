using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Agents;

/// <summary>How the head of a run changes. What is read before a write cannot change until it is written: the writer is one.</summary>
internal static class RunHeads
{
    // Status 1 is running, 2 waiting, and from 3 on a run has ended; 6 is dead.
    private const string AcquireRun = """
        UPDATE agent_runs SET epoch = epoch + 1, owner = $owner, beat = 0, status = 1, waits_for = NULL, wake_at = created_at, crashes = crashes + $crashed
        WHERE tenant = $tenant AND run = $run AND epoch = $epoch AND owner IS $seen AND beat = $beat AND status < 3
        """;

    private const string RenewRun = "UPDATE agent_runs SET beat = beat + 1 WHERE tenant = $tenant AND run = $run AND epoch = $epoch AND owner IS NOT NULL AND status = 1";

    private const string SelectHeld = "SELECT next_seq FROM agent_runs WHERE tenant = $tenant AND run = $run AND epoch = $epoch AND owner IS NOT NULL AND status = 1";

    // What most appends do. It names no column of an index, so that none is written.
    private const string AdvanceRun = """
        UPDATE agent_runs SET next_seq = $next, steps = coalesce($steps, steps), crashes = CASE WHEN $clear THEN 0 ELSE crashes END
        WHERE tenant = $tenant AND run = $run
        """;

    private const string GiveBackRun = """
        UPDATE agent_runs SET next_seq = $next, steps = $steps, crashes = CASE WHEN $clear THEN 0 ELSE crashes END,
          status = $status, owner = NULL, wake_at = $wake, ended_at = $ended, error = $error, waits_for = $waits
        WHERE tenant = $tenant AND run = $run
        """;

    private const string WakeRun = """
        UPDATE agent_runs SET wake_at = CASE WHEN status = 2 THEN min(coalesce(wake_at, $at), $at) ELSE wake_at END, cancel_requested = max(cancel_requested, $cancel)
        WHERE tenant = $tenant AND run = $run
        """;

    private const string RedriveRun = """
        UPDATE agent_runs SET status = 0, wake_at = $now, ended_at = NULL, error = NULL, crashes = 0, owner = NULL
        WHERE tenant = $tenant AND run = $run AND status = 6
        """;

    private const string DeleteRun = "DELETE FROM agent_runs WHERE tenant = $tenant AND run = $run";

    // Every tenant's: the process that had them is gone.
    internal const string ReleaseRuns = "UPDATE agent_runs SET owner = NULL, wake_at = created_at WHERE status = 1 AND owner IS NOT NULL";

    public static bool Acquire(Session session, RunRecord seen, string owner, bool crashed)
    {
        using var acquire = session.Use(AcquireRun);
        return RunRows.Key(acquire, seen.Tenant, seen.Id)
            .Set("$epoch", seen.Epoch).Set("$seen", seen.Owner).Set("$beat", seen.Beat).Set("$owner", owner).Set("$crashed", crashed)
            .Run() > 0;
    }

    public static bool Renew(Session session, TenantId tenant, RunId run, long epoch)
    {
        using var renew = session.Use(RenewRun);
        return RunRows.Key(renew, tenant, run).Set("$epoch", epoch).Run() > 0;
    }

    /// <summary>Number of the next entry; null where nobody has the run in this epoch.</summary>
    public static long? NextOfOwner(Session session, TenantId tenant, RunId run, long epoch)
    {
        using var row = session.Use(SelectHeld);
        return RunRows.Key(row, tenant, run).Set("$epoch", epoch).Step() ? row.Long(0) : null;
    }

    public static void Change(Session session, RunAppend append)
    {
        if (append.Change is { Status: not RunStatus.Running } change)
        {
            GiveBack(session, append, change);
            return;
        }

        using var update = session.Use(AdvanceRun);
        Progress(update, append).Run();
    }

    /// <summary>Whether the head is as an append without entries would leave it.</summary>
    public static bool Holds(RunRecord run, RunAppend append)
    {
        if (run.Epoch != append.Epoch || run.NextSeq != append.Seq) return false;
        if (append.Change is not { } change) return true;
        return run.Status == change.Status && run.Steps == change.Steps
            && (!run.Ended || (RunRows.Milliseconds(run.EndedAt) == RunRows.Milliseconds(change.EndedAt) && run.Error == change.Error));
    }

    public static void Wake(Session session, TenantId tenant, RunId run, InboxItem item)
    {
        using var wake = session.Use(WakeRun);
        RunRows.Key(wake, tenant, run).Set("$at", RunRows.Milliseconds(item.At)).Set("$cancel", item.Cancels).Run();
    }

    public static bool Redrive(Session session, TenantId tenant, RunId run, DateTimeOffset now)
    {
        using var redrive = session.Use(RedriveRun);
        return RunRows.Key(redrive, tenant, run).Set("$now", RunRows.Milliseconds(now)).Run() > 0;
    }

    public static int ReleaseAll(Session session)
    {
        using var release = session.Use(ReleaseRuns);
        return release.Run();
    }

    public static void Delete(Session session, TenantId tenant, RunId run)
    {
        using var delete = session.Use(DeleteRun);
        RunRows.Key(delete, tenant, run).Run();
    }

    private static Statement Progress(Statement update, RunAppend append) => RunRows.Key(update, append.Tenant, append.Run)
        .Set("$next", append.Seq + append.Entries.Count).Set("$steps", append.Change?.Steps).Set("$clear", append.Change is { ClearCrashes: true });

    private static void GiveBack(Session session, RunAppend append, RunChange change)
    {
        var ends = change.Status >= RunStatus.Completed;
        using var update = session.Use(GiveBackRun);
        Progress(update, append)
            .Set("$status", (int)change.Status).Set("$wake", RunRows.Milliseconds(ends ? null : WakeAt(session, append, change)))
            .Set("$ended", ends ? RunRows.Milliseconds(change.EndedAt) : null).Set("$error", ends ? change.Error : null)
            .Set("$waits", change.Status == RunStatus.Waiting ? change.WaitsFor : null)
            .Run();
    }

    /// <summary>What came to the inbox while the owner decided to wait would otherwise be slept through.</summary>
    private static DateTimeOffset? WakeAt(Session session, RunAppend append, RunChange change)
    {
        if (change.Status != RunStatus.Waiting) return change.WakeAt ?? change.Now;
        return InboxRows.AnyUnread(session, append.Tenant, append.Run) && !(change.WakeAt < change.Now) ? change.Now : change.WakeAt;
    }
}
