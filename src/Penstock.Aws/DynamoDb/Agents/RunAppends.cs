using Penstock.Agents;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// An append as one transaction: the head where the epoch, the owner and the next number are still its own, the entries where none stands, and the items of
/// the inbox that they tell of. Whoever is refused, or hears nothing, looks whether it is their own write that is there.
/// </summary>
internal sealed class RunAppends(DynamoDatabase database, RunHeads heads, RunJournals journals)
{
    private const string IsNext = "#epoch = :epoch AND #status = :running AND attribute_exists(#owner) AND #nextSeq = :seq";
    private const string AndPosted = " AND #posted = :posted";
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string IsThere = "attribute_exists(#pk)";

    private const string Advance = "SET #nextSeq = :next, #folded = #folded + :count";
    private const string Progress = ", #steps = :steps";
    private const string ClearCrashes = ", #crashes = :zero";
    private const string GiveBack = ", #status = :status";
    private const string SetError = ", #error = :error";
    private const string SetWaitsFor = ", #waitsFor = :waitsFor";
    private const string SetEndedAt = ", #endedAt = :endedAt";
    private const string SetWakeAt = ", #wakeAt = :wakeAt";
    private const string SetDue = ", #due = :due, #dueKey = :dueKey";

    private string Table => database.Tables.Runs;

    public async Task<bool> AppendAsync(RunAppend append, CancellationToken ct)
    {
        append.Check();
        var backoff = new Backoff(database.Time);
        do
        {
            // A run that goes to wait must know what came to its inbox; nothing else has to be read.
            var seen = append.Change is { Status: RunStatus.Waiting } ? await heads.GetAsync(append.Tenant, append.Run, ct) : null;
            var (transaction, head) = Build(append, seen);
            var outcome = await database.WriteAsync(transaction, () => IsThereAsync(append, ct), ct);
            if (outcome.Written || await IsThereAsync(append, ct)) return true;
            if (seen is null || !outcome.Refused.TryGetValue(head, out var now) || now is null || now.Long("posted") == seen.Long("posted")) return false;
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"Run '{append.Run}' could not be given back: too much comes to its inbox at once. Try again.");
    }

    private (Transaction Transaction, int Head) Build(RunAppend append, Item? seen)
    {
        var (transaction, partition) = (new Transaction(), RunKeys.Run(append.Tenant, append.Run));
        var values = new Item().Set(":epoch", append.Epoch).Set(":running", (long)RunStatus.Running).Set(":seq", append.Seq)
            .Set(":next", append.Seq + append.Entries.Count).Set(":count", append.Folded.Count);
        var update = Advance + ChangeOf(append, seen, values);
        if (seen is not null) values.Set(":posted", seen.Long("posted"));
        var head = transaction.Update(Table, RunKeys.HeadKey(append.Tenant, append.Run), update, seen is null ? IsNext : IsNext + AndPosted, values);
        foreach (var entry in append.Entries) transaction.Put(Table, RunJournals.Write(partition, entry), IsNew);
        foreach (var id in append.Folded) transaction.Delete(Table, Item.Key(partition, RunKeys.Unread(id)), IsThere);
        return (transaction, head);
    }

    private static string ChangeOf(RunAppend append, Item? seen, Item values)
    {
        if (append.Change is not { } change) return "";
        var update = Progress;
        values.Set(":steps", change.Steps);
        if (change.ClearCrashes)
        {
            update += ClearCrashes;
            values.Set(":zero", 0);
        }

        return change.Status == RunStatus.Running ? update : update + GiveBackAs(append, change, seen, values);
    }

    private static string GiveBackAs(RunAppend append, RunChange change, Item? seen, Item values)
    {
        var (sets, removes) = (GiveBack, "#owner");
        values.Set(":status", (long)change.Status);
        var ends = change.Status >= RunStatus.Completed;
        var wakeAt = ends ? null : WakeAt(append, change, seen);
        Choose(ends ? change.Error : null, SetError, "#error", ":error");
        Choose(change.Status == RunStatus.Waiting ? change.WaitsFor : null, SetWaitsFor, "#waitsFor", ":waitsFor");
        ChooseTime(ends ? change.EndedAt : null, SetEndedAt, "#endedAt", ":endedAt");
        ChooseTime(wakeAt, SetWakeAt, "#wakeAt", ":wakeAt");
        if (RunItem.Due(append.Run, change.Status, wakeAt, change.EndedAt) is { } due)
        {
            sets += SetDue;
            values.Set(":due", due.Partition).Set(":dueKey", due.Key);
        }
        else
        {
            removes += ", #due, #dueKey";
        }

        return $"{sets} REMOVE {removes}";

        void Choose(string? value, string set, string name, string placeholder)
        {
            (sets, removes) = value is null ? (sets, $"{removes}, {name}") : (sets + set, removes);
            values.Set(placeholder, value);
        }

        void ChooseTime(DateTimeOffset? at, string set, string name, string placeholder)
        {
            (sets, removes) = at is null ? (sets, $"{removes}, {name}") : (sets + set, removes);
            values.Set(placeholder, RunItem.Time(at));
        }
    }

    /// <summary>What came to the inbox while the owner decided to wait would otherwise be slept through.</summary>
    private static DateTimeOffset? WakeAt(RunAppend append, RunChange change, Item? seen)
    {
        if (change.Status != RunStatus.Waiting) return change.WakeAt ?? change.Now;
        var unread = seen is null ? 0 : seen.Long("posted") - seen.Long("folded") - append.Folded.Count;
        return unread > 0 && !(change.WakeAt < change.Now) ? change.Now : change.WakeAt;
    }

    /// <summary>Whether this very write is there, whoever went on since.</summary>
    private async Task<bool> IsThereAsync(RunAppend append, CancellationToken ct)
    {
        if (append.Entries.Count > 0) return await journals.HoldsAsync(append.Tenant, append.Run, append.Entries, ct);
        if (RunItem.ReadOrNull(await heads.GetAsync(append.Tenant, append.Run, ct)) is not { } run || !IsAs(run, append)) return false;
        if (append.Folded.Count == 0) return true;
        var partition = RunKeys.Run(append.Tenant, append.Run);
        var known = await database.GetAsync(Table, [.. append.Folded.Select(id => Item.Key(partition, RunKeys.Known(id)))], ct);
        var unread = await database.GetAsync(Table, [.. append.Folded.Select(id => Item.Key(partition, RunKeys.Unread(id)))], ct);
        return known.Count == append.Folded.Count && unread.Count == 0;
    }

    /// <summary>Whether the head is as an append without entries would leave it.</summary>
    private static bool IsAs(RunRecord run, RunAppend append)
    {
        if (run.Epoch != append.Epoch || run.NextSeq != append.Seq) return false;
        if (append.Change is not { } change) return true;
        return run.Status == change.Status && run.Steps == change.Steps
            && (!run.Ended || (RunItem.Time(run.EndedAt) == RunItem.Time(change.EndedAt) && run.Error == change.Error));
    }
}
